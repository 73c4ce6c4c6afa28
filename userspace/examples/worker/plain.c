// SPDX-License-Identifier: LGPL-2.1-or-later
#include <pthread.h>
#include <string.h>

#include "kernels.h"

/*
 * CRC-32C (Castagnoli), eight bytes at a time
 */

static uint32_t crc_table[8][256];

static void make_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
		crc_table[0][i] = c;
	}
	for (int t = 1; t < 8; t++)
		for (int i = 0; i < 256; i++)
			crc_table[t][i] = crc_table[t - 1][i] >> 8 ^
					  crc_table[0][crc_table[t - 1][i] & 0xff];
}

/*
 * AES-128, FIPS 197: four tables made from the S-box
 */

static uint8_t sbox[256];
static uint32_t aes_table[4][256];

static uint8_t rotl8(uint8_t x, int n)
{
	return x << n | x >> (8 - n);
}

static uint32_t rotl32(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static uint8_t xtime(uint8_t x)
{
	return x << 1 ^ (x & 0x80 ? 0x1b : 0);
}

static void make_aes_tables(void)
{
	uint8_t p = 1, q = 1;	/* q is always the inverse of p: 3 generates the field */

	do {
		p ^= xtime(p);
		q ^= q << 1;
		q ^= q << 2;
		q ^= q << 4;
		if (q & 0x80)
			q ^= 0x09;
		sbox[p] = q ^ rotl8(q, 1) ^ rotl8(q, 2) ^ rotl8(q, 3) ^ rotl8(q, 4) ^ 0x63;
	} while (p != 1);
	sbox[0] = 0x63;
	for (int i = 0; i < 256; i++) {
		uint8_t s = sbox[i], s2 = xtime(s), s3 = s2 ^ s;

		aes_table[0][i] = s2 | s << 8 | s << 16 | (uint32_t)s3 << 24;
		for (int t = 1; t < 4; t++)
			aes_table[t][i] = rotl32(aes_table[0][i], 8 * t);
	}
}

static void make_tables(void)
{
	make_crc_table();
	make_aes_tables();
}

static void need_tables(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_tables);
}

static uint32_t crc32c_plain(uint32_t crc, const uint8_t *buf, size_t len)
{
	need_tables();
	crc = ~crc;
	for (; len >= 8; buf += 8, len -= 8) {
		uint64_t v;

		memcpy(&v, buf, 8);
		v ^= crc;
		crc = 0;
		for (int t = 0; t < 8; t++)
			crc ^= crc_table[7 - t][v >> 8 * t & 0xff];
	}
	while (len--)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *buf++) & 0xff];
	return ~crc;
}

void aes128_expand(struct aes128 *key, const uint8_t secret[16])
{
	uint8_t *w = key->round[0], rcon = 1;

	need_tables();
	memcpy(w, secret, 16);
	for (int i = 16; i < 176; i += 4) {
		uint8_t t[4];

		memcpy(t, w + i - 4, 4);
		if (i % 16 == 0) {
			uint8_t first = t[0];

			t[0] = sbox[t[1]] ^ rcon;
			t[1] = sbox[t[2]];
			t[2] = sbox[t[3]];
			t[3] = sbox[first];
			rcon = xtime(rcon);
		}
		for (int k = 0; k < 4; k++)
			w[i + k] = w[i - 16 + k] ^ t[k];
	}
}

static void aes_block(const struct aes128 *key, const uint8_t in[16], uint8_t out[16])
{
	uint32_t s[4], t[4], k[4];

	memcpy(s, in, 16);
	memcpy(k, key->round[0], 16);
	for (int i = 0; i < 4; i++)
		s[i] ^= k[i];
	for (int r = 1; r < 10; r++) {
		memcpy(k, key->round[r], 16);
		for (int i = 0; i < 4; i++)
			t[i] = k[i] ^ aes_table[0][s[i] & 0xff] ^
			       aes_table[1][s[(i + 1) & 3] >> 8 & 0xff] ^
			       aes_table[2][s[(i + 2) & 3] >> 16 & 0xff] ^
			       aes_table[3][s[(i + 3) & 3] >> 24];
		memcpy(s, t, sizeof(s));
	}
	memcpy(k, key->round[10], 16);
	for (int i = 0; i < 4; i++)
		t[i] = k[i] ^ (sbox[s[i] & 0xff] | sbox[s[(i + 1) & 3] >> 8 & 0xff] << 8 |
			       sbox[s[(i + 2) & 3] >> 16 & 0xff] << 16 |
			       (uint32_t)sbox[s[(i + 3) & 3] >> 24] << 24);
	memcpy(out, t, 16);
}

void aes_ctr_plain(const struct aes128 *key, uint64_t nonce, uint64_t block, uint8_t *buf,
		   size_t len)
{
	need_tables();
	for (; len >= 16; buf += 16, len -= 16, block++) {
		uint8_t in[16], stream[16];

		memcpy(in, &nonce, 8);
		memcpy(in + 8, &block, 8);
		aes_block(key, in, stream);
		for (int i = 0; i < 16; i++)
			buf[i] ^= stream[i];
	}
}

void base64_plain(char *out, const uint8_t *buf, size_t len)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; len >= 3; buf += 3, len -= 3, out += 4) {
		uint32_t v = buf[0] << 16 | buf[1] << 8 | buf[2];

		out[0] = digit[v >> 18];
		out[1] = digit[v >> 12 & 63];
		out[2] = digit[v >> 6 & 63];
		out[3] = digit[v & 63];
	}
}

const struct kernels kernels_plain = {
	.crc32c = crc32c_plain,
	.aes_ctr = aes_ctr_plain,
	.base64 = base64_plain,
};
