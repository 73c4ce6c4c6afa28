// SPDX-License-Identifier: GPL-2.0-only
/* /sys/kernel/debug/hybrid/: see Documentation/abi/sysfs-module-hybrid.txt. */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "bench.h"
#include "internal.h"

static struct dentry *dir;

/* snapshot */

static void show_regs(struct seq_file *m, const struct hybrid_regs *r)
{
	seq_printf(m, "{ 0x%08x, 0x%08x, 0x%08x, 0x%08x },\n", r->eax, r->ebx, r->ecx, r->edx);
}

static void show_leaf(struct seq_file *m, const char *name, const struct hybrid_regs *r)
{
	seq_printf(m, "\t.%s = ", name);
	show_regs(m, r);
}

static void show_slot(struct seq_file *m, const struct hybrid_hv_slot *slot)
{
	u32 i;

	seq_printf(m, "\t\t{\n\t\t\t.base = 0x%08x,\n\t\t\t.nr_leaves = %u,\n\t\t\t.leaf = {\n",
		   slot->base, slot->nr_leaves);
	for (i = 0; i < slot->nr_leaves; i++) {
		seq_puts(m, "\t\t\t\t");
		show_regs(m, &slot->leaf[i]);
	}
	seq_puts(m, "\t\t\t},\n\t\t},\n");
}

static int snapshot_show(struct seq_file *m, void *unused)
{
	struct hybrid_snapshot *s = kmalloc(sizeof(*s), GFP_KERNEL);
	u32 i;

	if (!s)
		return -ENOMEM;
	hybrid_snapshot_get(s);

	seq_puts(m, "{\n");
	show_leaf(m, "leaf0", &s->leaf0);
	show_leaf(m, "leaf1", &s->leaf1);
	show_leaf(m, "leaf6", &s->leaf6);
	show_leaf(m, "ext0", &s->ext0);
	show_leaf(m, "ext1", &s->ext1);
	show_leaf(m, "ext7", &s->ext7);
	show_leaf(m, "ext_svm", &s->ext_svm);
	seq_puts(m, "\t.slot = {\n");
	for (i = 0; i < s->nr_slots; i++)
		show_slot(m, &s->slot[i]);
	seq_printf(m, "\t},\n\t.nr_slots = %u,\n\t.slots_dropped = %u,\n\t.msr = {\n",
		   s->nr_slots, s->slots_dropped);
	for (i = 0; i < HYBRID_MSR_NR; i++)
		seq_printf(m, "\t\t{ %s, 0x%llx },\n", s->msr[i].valid ? "true" : "false",
			   s->msr[i].value);
	seq_printf(m, "\t},\n\t.kernel = 0x%x,\n\t.nr_cpus = %u,\n}\n", s->kernel, s->nr_cpus);
	kfree(s);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(snapshot);

/* bench */

/* One open file. @text is what a read returns: first the list, then the last result. */
struct bench_file {
	struct mutex lock;
	char text[HYBRID_BENCH_TEXT];
};

static int bench_open(struct inode *inode, struct file *file)
{
	struct bench_file *b = kzalloc(sizeof(*b), GFP_KERNEL);

	if (!b)
		return -ENOMEM;
	mutex_init(&b->lock);
	hybrid_bench_list(b->text);
	file->private_data = b;
	return 0;
}

static int bench_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static ssize_t bench_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct bench_file *b = file->private_data;
	ssize_t ret;

	if (mutex_lock_interruptible(&b->lock))
		return -EINTR;
	ret = simple_read_from_buffer(buf, count, pos, b->text, strlen(b->text));
	mutex_unlock(&b->lock);
	return ret;
}

static ssize_t bench_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct bench_file *b = file->private_data;
	char request[64];
	int err;

	if (count >= sizeof(request))
		return -EINVAL;
	if (copy_from_user(request, buf, count))
		return -EFAULT;
	request[count] = '\0';

	if (mutex_lock_interruptible(&b->lock))
		return -EINTR;
	err = hybrid_bench_run(request, b->text);
	/* "nothing is returned": not the result of an earlier request either */
	if (err)
		b->text[0] = '\0';
	/* Whatever was read before, the next read is to start at the result. */
	*pos = 0;
	mutex_unlock(&b->lock);
	return err ?: count;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.read = bench_read,
	.write = bench_write,
	.llseek = default_llseek,
};

/* Nothing depends on debugfs: the kernel may be without it, or not let us in. */
void hybrid_debugfs_create(void)
{
	dir = debugfs_create_dir("hybrid", NULL);
	debugfs_create_file("snapshot", 0400, dir, NULL, &snapshot_fops);
	debugfs_create_file("bench", 0600, dir, NULL, &bench_fops);
}

void hybrid_debugfs_remove(void)
{
	debugfs_remove(dir);
}
