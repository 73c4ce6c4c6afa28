// SPDX-License-Identifier: GPL-2.0-only
/* /dev/migrate-notify: checks what programs hand in, and hands out what the core says. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../../compat/vm_flags.h"
#include "internal.h"

static int mn_open(struct inode *inode, struct file *file)
{
	struct mn_subscriber *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	struct mn_user *user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	int err;

	if (!s || !user) {
		kfree(s);
		kfree(user);
		return -ENOMEM;
	}
	mutex_init(&s->read_lock);
	s->record = MIGRATE_NOTIFY_EVENT_SIZE_VER0;
	s->events = MIGRATE_NOTIFY_MASK_DEFAULT;
	s->pid = get_pid(task_tgid(current));
	s->can_delay = file->f_mode & FMODE_WRITE;
	err = mn_core_join(s, user);
	if (err) {
		put_pid(s->pid);
		kfree(s);
		return err;
	}
	file->private_data = s;
	return stream_open(inode, file);
}

static int mn_release(struct inode *inode, struct file *file)
{
	struct mn_subscriber *s = file->private_data;

	mn_core_leave(s);
	put_pid(s->pid);
	kfree(s);
	return 0;
}

/* As many events as there are and fit; @s->read_lock is held. */
static ssize_t copy_events(struct mn_subscriber *s, char __user *buf, size_t room)
{
	struct migrate_notify_event e;
	ssize_t done = 0;

	while (room - done >= s->record && mn_core_peek(s, &e)) {
		e.size = s->record;
		if (copy_to_user(buf + done, &e, s->record))
			return done ?: -EFAULT;
		mn_core_took(s, e.seq);
		done += s->record;
	}
	return done;
}

/* Whoever has it may sleep in a page fault for as long as its program likes. */
static int lock_reading(struct mn_subscriber *s, bool wait)
{
	if (wait)
		return mutex_lock_interruptible(&s->read_lock);
	return mutex_trylock(&s->read_lock) ? 0 : -EAGAIN;
}

static ssize_t mn_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct mn_subscriber *s = file->private_data;
	bool wait = !(file->f_flags & O_NONBLOCK);
	ssize_t done;
	int err;

	size = min_t(size_t, size, MAX_RW_COUNT);
	do {
		if (size < READ_ONCE(s->record))
			return -EINVAL;
		if (!mn_core_unread(s)) {
			if (!wait)
				return -EAGAIN;
			err = mn_core_wait(s);
			if (err)
				return err;
		}
		err = lock_reading(s, wait);
		if (err)
			return err;
		done = copy_events(s, buf, size);
		mutex_unlock(&s->read_lock);
		/* 0: another reader of this descriptor was faster. */
	} while (!done);
	return done;
}

static ssize_t mn_write(struct file *file, const char __user *buf, size_t size, loff_t *pos)
{
	struct migrate_notify_ack ack = {};
	int err;

	if (size != sizeof(ack.op_id) && size != sizeof(ack))
		return -EINVAL;
	if (copy_from_user(&ack, buf, size))
		return -EFAULT;
	if (ack.flags & ~MIGRATE_NOTIFY_ACK_REFUSE || ack.reserved)
		return -EINVAL;
	err = mn_core_ack(file->private_data, ack.op_id, ack.flags & MIGRATE_NOTIFY_ACK_REFUSE);
	return err ?: size;
}

static __poll_t mn_poll(struct file *file, struct poll_table_struct *table)
{
	const struct mn_subscriber *s = file->private_data;
	__poll_t ready = s->can_delay ? EPOLLOUT | EPOLLWRNORM : 0;

	mn_core_poll(file, table);
	if (mn_core_unread(s))
		ready |= EPOLLIN | EPOLLRDNORM;
	return ready;
}

static int mn_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EROFS;
	compat_vm_flags_mod(vma, VM_DONTEXPAND, VM_MAYWRITE);
	return vm_insert_page(vma, vma->vm_start, mn_core_page());
}

/* Copies back what fits into what the program has. */
static int put_struct(void __user *arg, size_t usize, const void *src, size_t size)
{
	return copy_to_user(arg, src, min(usize, size)) ? -EFAULT : 0;
}

static bool name_valid(const char name[MIGRATE_NOTIFY_NAME_LEN])
{
	size_t i, len = strnlen(name, MIGRATE_NOTIFY_NAME_LEN);

	if (len == MIGRATE_NOTIFY_NAME_LEN ||
	    memchr_inv(name + len, 0, MIGRATE_NOTIFY_NAME_LEN - len))
		return false;
	for (i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] > '~')
			return false;
	return true;
}

static long ioctl_subscribe(struct mn_subscriber *s, void __user *arg, size_t usize)
{
	const u32 all = MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_TYPES) - 2;
	struct migrate_notify_subscribe a;
	int err;

	err = copy_struct_from_user(&a, sizeof(a), arg, usize);
	if (err)
		return err;
	if (a.flags & ~MIGRATE_NOTIFY_SUBSCRIBE_DELAY || a.events & ~all || a.reserved ||
	    !name_valid(a.name))
		return -EINVAL;
	a.events = a.events ?: MIGRATE_NOTIFY_MASK_DEFAULT;
	/* Awaited and never told: nobody can mean that. */
	if (a.flags & MIGRATE_NOTIFY_SUBSCRIBE_DELAY &&
	    !(a.events & MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_PREPARE)))
		return -EINVAL;
	a.event_size = a.event_size ?: MIGRATE_NOTIFY_EVENT_SIZE_VER0;
	if (a.event_size < MIGRATE_NOTIFY_EVENT_SIZE_VER0)
		return -EINVAL;
	a.event_size = min_t(u32, a.event_size, sizeof(struct migrate_notify_event));

	err = mutex_lock_interruptible(&s->read_lock);
	if (err)
		return err;
	err = mn_core_subscribe(s, &a);
	if (!err)
		WRITE_ONCE(s->record, a.event_size);
	mutex_unlock(&s->read_lock);
	return err ?: put_struct(arg, usize, &a, sizeof(a));
}

/* Without what we do not know: the program may be newer than we. */
static void copy_known(u64 to[MN_WORDS], const u64 from[MN_WORDS])
{
	u32 i;

	for (i = 0; i < MIGRATE_NOTIFY_F_NR; i++)
		if (mn_words_test(from, i))
			mn_words_set(to, i);
}

static bool inject_valid(const struct migrate_notify_inject *a)
{
	bool expects = memchr_inv(a->expect_added, 0, sizeof(a->expect_added)) ||
		       memchr_inv(a->expect_removed, 0, sizeof(a->expect_removed));

	if (a->flags & ~MIGRATE_NOTIFY_INJECT_SIMULATE)
		return false;
	if (a->action != MIGRATE_NOTIFY_INJECT_PREPARE && (a->timeout_ms || expects))
		return false;
	if (a->action != MIGRATE_NOTIFY_INJECT_COMPLETE && (a->status || a->downtime_ns))
		return false;
	return a->status <= MIGRATE_NOTIFY_UNKNOWN;
}

static long ioctl_inject(void __user *arg, size_t usize)
{
	struct migrate_notify_inject a;
	struct mn_request rq;
	int err, fault;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = copy_struct_from_user(&a, sizeof(a), arg, usize);
	if (err)
		return err;
	if (!inject_valid(&a) || a.action > U16_MAX)
		return -EINVAL;

	rq = (struct mn_request){
		.action		= a.action,
		.source		= MIGRATE_NOTIFY_SOURCE_INJECT,
		.status		= a.status,
		.simulated	= a.flags & MIGRATE_NOTIFY_INJECT_SIMULATE,
		.op_id		= a.op_id,
		.timeout_ns	= mul_u32_u32(a.timeout_ms, NSEC_PER_MSEC),
		.downtime_ns	= a.downtime_ns,
	};
	copy_known(rq.expect_added, a.expect_added);
	copy_known(rq.expect_removed, a.expect_removed);
	err = mn_core_request(&rq);
	if (err && err != -EALREADY)
		return err;
	a.op_id = rq.op_id;
	fault = put_struct(arg, usize, &a, sizeof(a));
	return fault ?: err;
}

static long ioctl_list(const struct mn_subscriber *s, void __user *arg, size_t usize)
{
	struct migrate_notify_subscriber *all;
	const kuid_t own = current_uid();
	struct migrate_notify_list a;
	char __user *to;
	bool everybody;
	size_t known;
	u32 i;
	int err;

	err = copy_struct_from_user(&a, sizeof(a), arg, usize);
	if (err)
		return err;
	if (!a.count || a.count > MIGRATE_NOTIFY_LIST_MAX || a.entry_size > PAGE_SIZE ||
	    a.entry_size < MIGRATE_NOTIFY_SUBSCRIBER_SIZE_VER0)
		return -EINVAL;
	known = min_t(size_t, a.entry_size, sizeof(*all));
	everybody = s->can_delay || capable(CAP_SYS_ADMIN);
	all = kvcalloc(a.count, sizeof(*all), GFP_KERNEL_ACCOUNT);
	if (!all)
		return -ENOMEM;

	a.count = mn_core_list(a.after, everybody ? NULL : &own, all, a.count);
	to = u64_to_user_ptr(a.entries);
	for (i = 0; i < a.count && !err; i++, to += a.entry_size)
		if (copy_to_user(to, &all[i], known) ||
		    clear_user(to + known, a.entry_size - known))
			err = -EFAULT;
	kvfree(all);
	return err ?: put_struct(arg, usize, &a, sizeof(a));
}

/* By its number alone: its size, which is in @cmd too, is how much the program knows of. */
static long mn_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *ptr = (void __user *)arg;
	size_t usize = _IOC_SIZE(cmd);

	switch (cmd & ~IOCSIZE_MASK) {
	case MIGRATE_NOTIFY_IOC_SUBSCRIBE & ~IOCSIZE_MASK:
		if (usize < MIGRATE_NOTIFY_SUBSCRIBE_SIZE_VER0)
			return -EINVAL;
		return ioctl_subscribe(file->private_data, ptr, usize);
	case MIGRATE_NOTIFY_IOC_INJECT & ~IOCSIZE_MASK:
		if (usize < MIGRATE_NOTIFY_INJECT_SIZE_VER0)
			return -EINVAL;
		return ioctl_inject(ptr, usize);
	case MIGRATE_NOTIFY_IOC_LIST & ~IOCSIZE_MASK:
		if (usize < MIGRATE_NOTIFY_LIST_SIZE_VER0)
			return -EINVAL;
		return ioctl_list(file->private_data, ptr, usize);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations mn_fops = {
	.owner		= THIS_MODULE,
	.open		= mn_open,
	.release	= mn_release,
	.read		= mn_read,
	.write		= mn_write,
	.poll		= mn_poll,
	.mmap		= mn_mmap,
	.unlocked_ioctl	= mn_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

/* Everybody may watch; who may delay is for a udev rule to say. */
static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "migrate-notify",
	.fops	= &mn_fops,
	.mode	= 0644,
};

int mn_chardev_create(void)
{
	return misc_register(&device);
}

void mn_chardev_remove(void)
{
	misc_deregister(&device);
}
