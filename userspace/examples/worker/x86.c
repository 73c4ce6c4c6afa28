// SPDX-License-Identifier: LGPL-2.1-or-later
/* The variants that need features. Each function names what it needs; the file needs nothing. */
#include <immintrin.h>
#include <string.h>

#include "kernels.h"

#define NEEDS(features)	__attribute__((target(features)))

NEEDS("sse4.2")
uint32_t crc32c_sse42(uint32_t crc, const uint8_t *buf, size_t len)
{
	uint64_t c = ~crc, v;

	for (; len >= 8; buf += 8, len -= 8) {
		memcpy(&v, buf, 8);
		c = _mm_crc32_u64(c, v);
	}
	while (len--)
		c = _mm_crc32_u8(c, *buf++);
	return ~(uint32_t)c;
}

/*
 * base64: 12 bytes become 16 groups of six bits (Mula's multiplications), and one shuffle of
 * 16 offsets turns these into characters.
 */

NEEDS("ssse3")
static inline __m128i encode16(__m128i v)
{
	const __m128i offsets = _mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
					      '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
					      '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
	__m128i hi, lo, group, range;

	v = _mm_shuffle_epi8(v, _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
	hi = _mm_mulhi_epu16(_mm_and_si128(v, _mm_set1_epi32(0x0fc0fc00)),
			     _mm_set1_epi32(0x04000040));
	lo = _mm_mullo_epi16(_mm_and_si128(v, _mm_set1_epi32(0x003f03f0)),
			     _mm_set1_epi32(0x01000010));
	group = _mm_or_si128(hi, lo);
	/* 0 for 26..51, 1..10 for digits, 11 for +, 12 for /, 13 for 0..25 */
	range = _mm_subs_epu8(group, _mm_set1_epi8(51));
	range = _mm_or_si128(range, _mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(26), group),
						  _mm_set1_epi8(13)));
	return _mm_add_epi8(group, _mm_shuffle_epi8(offsets, range));
}

NEEDS("ssse3")
void base64_ssse3(char *out, const uint8_t *buf, size_t len)
{
	/* 16 bytes are read and 12 of them used */
	for (; len >= 16; buf += 12, len -= 12, out += 16)
		_mm_storeu_si128((__m128i *)out,
				 encode16(_mm_loadu_si128((const __m128i *)buf)));
	base64_plain(out, buf, len);
}

NEEDS("avx2")
static inline __m256i encode32(__m256i v)
{
	const __m256i offsets = _mm256_broadcastsi128_si256(
		_mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
			      '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A',
			      0, 0));
	const __m256i order = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
	__m256i hi, lo, group, range;

	v = _mm256_shuffle_epi8(v, order);
	hi = _mm256_mulhi_epu16(_mm256_and_si256(v, _mm256_set1_epi32(0x0fc0fc00)),
				_mm256_set1_epi32(0x04000040));
	lo = _mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi32(0x003f03f0)),
				_mm256_set1_epi32(0x01000010));
	group = _mm256_or_si256(hi, lo);
	range = _mm256_subs_epu8(group, _mm256_set1_epi8(51));
	range = _mm256_or_si256(range,
				_mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), group),
						 _mm256_set1_epi8(13)));
	return _mm256_add_epi8(group, _mm256_shuffle_epi8(offsets, range));
}

NEEDS("avx2")
static void base64_avx2(char *out, const uint8_t *buf, size_t len)
{
	for (; len >= 28; buf += 24, len -= 24, out += 32) {
		__m256i v = _mm256_inserti128_si256(
			_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)buf)),
			_mm_loadu_si128((const __m128i *)(buf + 12)), 1);

		_mm256_storeu_si256((__m256i *)out, encode32(v));
	}
	base64_plain(out, buf, len);
}

/*
 * AES-CTR, eight blocks in flight
 */

NEEDS("aes,sse4.1")
static inline __m128i aes_one(const __m128i *round, __m128i b)
{
	b = _mm_xor_si128(b, round[0]);
	for (int r = 1; r < 10; r++)
		b = _mm_aesenc_si128(b, round[r]);
	return _mm_aesenclast_si128(b, round[10]);
}

NEEDS("aes,sse4.1")
void aes_ctr_aesni(const struct aes128 *key, uint64_t nonce, uint64_t block, uint8_t *buf,
		   size_t len)
{
	const __m128i *round = (const __m128i *)key->round;
	__m128i *p = (__m128i *)buf;

	for (; len >= 128; len -= 128, p += 8, block += 8) {
		__m128i b[8];

		for (int i = 0; i < 8; i++)
			b[i] = _mm_xor_si128(_mm_set_epi64x(block + i, nonce), round[0]);
		for (int r = 1; r < 10; r++)
			for (int i = 0; i < 8; i++)
				b[i] = _mm_aesenc_si128(b[i], round[r]);
		for (int i = 0; i < 8; i++)
			_mm_storeu_si128(p + i,
					 _mm_xor_si128(_mm_aesenclast_si128(b[i], round[10]),
						       _mm_loadu_si128(p + i)));
	}
	for (; len >= 16; len -= 16, p++, block++)
		_mm_storeu_si128(p, _mm_xor_si128(aes_one(round, _mm_set_epi64x(block, nonce)),
						  _mm_loadu_si128(p)));
}

NEEDS("vaes,avx2,aes")
static void aes_ctr_vaes(const struct aes128 *key, uint64_t nonce, uint64_t block, uint8_t *buf,
			 size_t len)
{
	__m256i round[11], *p = (__m256i *)buf;

	for (int r = 0; r < 11; r++)
		round[r] = _mm256_broadcastsi128_si256(
			_mm_load_si128((const __m128i *)key->round[r]));
	for (; len >= 256; len -= 256, p += 8, block += 16) {
		__m256i b[8];

		for (int i = 0; i < 8; i++)
			b[i] = _mm256_xor_si256(_mm256_set_epi64x(block + 2 * i + 1, nonce,
								  block + 2 * i, nonce), round[0]);
		for (int r = 1; r < 10; r++)
			for (int i = 0; i < 8; i++)
				b[i] = _mm256_aesenc_epi128(b[i], round[r]);
		for (int i = 0; i < 8; i++)
			_mm256_storeu_si256(p + i,
				_mm256_xor_si256(_mm256_aesenclast_epi128(b[i], round[10]),
						 _mm256_loadu_si256(p + i)));
	}
	aes_ctr_aesni(key, nonce, block, (uint8_t *)p, len);
}

const struct kernels kernels_sse42 = {
	.crc32c = crc32c_sse42,
	.aes_ctr = aes_ctr_plain,
	.base64 = base64_ssse3,
};

const struct kernels kernels_aesni = {
	.crc32c = crc32c_sse42,
	.aes_ctr = aes_ctr_aesni,
	.base64 = base64_ssse3,
};

const struct kernels kernels_avx2 = {
	.crc32c = crc32c_sse42,
	.aes_ctr = aes_ctr_aesni,
	.base64 = base64_avx2,
};

const struct kernels kernels_vaes = {
	.crc32c = crc32c_sse42,
	.aes_ctr = aes_ctr_vaes,
	.base64 = base64_avx2,
};
