// SPDX-License-Identifier: GPL-2.0-only
/* /sys/kernel/debug/pvirq/: see Documentation/abi/debugfs-pvirq.txt. */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "internal.h"

static struct dentry *dir;

static int irqs_show(struct seq_file *m, void *unused)
{
	pvirq_show(m);
	return 0;
}

static int irqs_open(struct inode *inode, struct file *file)
{
	/* Whatever came and went since. */
	if (file->f_mode & FMODE_READ)
		pvirq_scan();
	return single_open(file, irqs_show, NULL);
}

/* "WHO WANT" */
static ssize_t irqs_write(struct file *file, const char __user *buf, size_t size, loff_t *pos)
{
	char request[64], *who, *word = request;
	enum pvirq_want want;
	int err;

	if (size >= sizeof(request))
		return -EINVAL;
	if (copy_from_user(request, buf, size))
		return -EFAULT;
	request[size] = '\0';
	strim(request);

	who = strsep(&word, " ");
	if (!word)
		return -EINVAL;
	err = pvirq_parse_want(word, &want);
	if (!err)
		err = pvirq_set(who, want);
	return err ?: size;
}

static const struct file_operations irqs_fops = {
	.owner = THIS_MODULE,
	.open = irqs_open,
	.release = single_release,
	.read = seq_read,
	.write = irqs_write,
	.llseek = seq_lseek,
};

/* Nothing depends on debugfs: the kernel may be without it, or not let us in. */
void pvirq_debugfs_create(void)
{
	dir = debugfs_create_dir("pvirq", NULL);
	debugfs_create_file("irqs", 0600, dir, NULL, &irqs_fops);
}

void pvirq_debugfs_remove(void)
{
	debugfs_remove(dir);
}
