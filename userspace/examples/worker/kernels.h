/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One job in several variants, all with the same result: CRC-32C, AES-128-CTR, base64. */
#ifndef WORKER_KERNELS_H
#define WORKER_KERNELS_H

#include <stddef.h>
#include <stdint.h>

struct aes128 {
	_Alignas(16) uint8_t round[11][16];
};

/**
 * struct kernels - a table of function pointers, as programs have them
 * @crc32c: continue @crc over @len bytes
 * @aes_ctr: XOR @buf with the key stream of (@nonce, block number from @block on); @len is a
 *	multiple of 16
 * @base64: encode @len bytes, a multiple of 3, to @len / 3 * 4 characters; no terminator
 */
struct kernels {
	uint32_t (*crc32c)(uint32_t crc, const uint8_t *buf, size_t len);
	void (*aes_ctr)(const struct aes128 *key, uint64_t nonce, uint64_t block, uint8_t *buf,
			size_t len);
	void (*base64)(char *out, const uint8_t *buf, size_t len);
};

/* Plain C; also the reference. */
extern const struct kernels kernels_plain;
/* CRC32 and PSHUFB: SSE4.2 and SSSE3. AES in C. */
extern const struct kernels kernels_sse42;
/* These and AES-NI. */
extern const struct kernels kernels_aesni;
/* These and AVX2 for base64. */
extern const struct kernels kernels_avx2;
/* These and VAES on 256 bits, which needs AVX state only. */
extern const struct kernels kernels_vaes;

void aes128_expand(struct aes128 *key, const uint8_t secret[16]);

/* Parts that several tables share. */
void aes_ctr_plain(const struct aes128 *key, uint64_t nonce, uint64_t block, uint8_t *buf,
		   size_t len);
void aes_ctr_aesni(const struct aes128 *key, uint64_t nonce, uint64_t block, uint8_t *buf,
		   size_t len);
uint32_t crc32c_sse42(uint32_t crc, const uint8_t *buf, size_t len);
void base64_plain(char *out, const uint8_t *buf, size_t len);
void base64_ssse3(char *out, const uint8_t *buf, size_t len);

#endif
