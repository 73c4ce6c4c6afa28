/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Masking in software (drivers/pvirq/mask.h) with everything around it at work at once: a
 * device, two CPUs in handle_edge_irq(), a driver that disables and enables, and pvirq that
 * gives the interrupt back and takes it over, and a move that the next interrupt carries out.
 * Each atomic block is what desc->lock covers; a
 * handler runs outside of it. When all is quiet, no interrupt may be lost, none may have run
 * twice, and nothing may be left masked.
 *
 * -DMUTANT=n breaks one thing, to prove that the model would notice.
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#define RAISES 4
#define ROUNDS 2

bool soft, hard, again;		/* struct pvirq_mask */
bool native;			/* given back: the kernel's chip is in charge */
bool eager;			/* ... for masks only: moves are ours */
bool pba, irr;			/* held back in the device; on its way */
bool disabled, masked, pending, inprogress;	/* of the core */
bool moving;			/* irq_set_affinity() waits for an interrupt */
bool owed;			/* raised since a handler last began */
byte raised, runs;

inline write_mask(on) {
	hard = on;
	if
	:: !hard && pba -> pba = false; irr = true
	:: else
	fi
}

inline mask() {
	if
	:: native || eager -> write_mask(true)
	:: else -> soft = true
	fi
}

/*
 * irq_ack: __irq_move_irq() masks and unmasks where the core has no mask noted. In our
 * irq_mask_ack() it has none yet, so that both are ignored there.
 */
inline ack(ignored) {
	if
	:: moving && !disabled ->
		moving = false;
		if
		:: !masked && (!(ignored) || MUTANT == 4) ->
			mask();
			soft = false;
			if
			:: hard || native || eager -> write_mask(false)
			:: else
			fi
		:: else
		fi
	:: else
	fi
}

/* mask_ack_irq() */
inline mask_ack() {
	if
	:: native && !masked -> write_mask(true); masked = true
	:: native && masked
	:: !native && eager && !masked -> write_mask(true)
	:: !native && eager && masked
	:: !native && !eager && soft && !hard && MUTANT != 1 -> again = true; write_mask(true)
	:: !native && !eager && soft && !hard && MUTANT == 1 -> irr = false; pending = false	/* swallows it */
	:: !native && !eager && soft && hard
	:: !native && !eager && !soft ->
		soft = true;
		if
		:: again && !hard -> write_mask(true)
		:: else
		fi;
		again = false
	fi;
	ack(!native);
	masked = true;
	assert(soft || hard)
}

inline unmask() {
	if
	:: masked && MUTANT == 2 -> soft = false	/* forgets the device */
	:: masked && MUTANT != 2 ->
		soft = false;
		if
		:: hard || native || eager -> write_mask(false)
		:: else
		fi
	:: else
	fi;
	masked = false
}

inline handle() {
	pending = false;
	owed = false;
	runs++
}

active proctype device() {
	do
	:: raised < RAISES -> atomic {
		raised++;
		owed = true;
		if
		:: hard -> pba = true
		:: else -> irr = true
		fi
	}
	:: raised == RAISES -> break
	od
}

active [2] proctype cpu() {
	bool mine;
end:
	do
	:: atomic {
		irr ->
		irr = false;
		mine = false;
		if
		:: inprogress || disabled -> pending = true; mask_ack()
		:: else -> ack(false); inprogress = true; mine = true; handle()
		fi
	}
	do
	:: atomic {
		mine ->		/* the handler has ended */
		if
		:: pending && !disabled -> unmask(); handle()
		:: else -> inprogress = false; mine = false
		fi
	}
	:: !mine -> break
	od
	od
}

active proctype driver() {
	byte i;

	do
	:: i < ROUNDS ->
		atomic {
			disabled = true;
			if
			:: true		/* lazily */
			:: !masked -> mask(); masked = true
			fi
		}
		atomic {
			disabled = false;
			unmask();
			if
			:: pending -> pending = false; irr = true	/* check_irq_resend() */
			:: else
			fi
		}
		i++
	:: i == ROUNDS -> break
	od
}

active proctype pvirq() {
	byte i;

	do
	:: i < ROUNDS ->
		atomic {
			if
			:: soft && !hard && MUTANT != 3 -> write_mask(true)
			:: else
			fi;
			soft = false;
			native = true;
			assert(hard == masked)
		}
		atomic {
			native = false;
			again = false;
			if
			:: eager = true
			:: eager = false
			fi
		}
		i++
	:: i == ROUNDS -> break
	od
}

active proctype mover() {
	byte i;

end:
	do
	:: i < ROUNDS && !moving -> atomic { moving = true; i++ }
	:: i == ROUNDS -> break
	od
}

active proctype monitor() {
	timeout;
	assert(runs <= raised);
	assert(!owed);
	assert(!irr && !pba && !pending && !inprogress && !masked);
	assert(!hard && !soft)
}
