
/*
 * Copyright (C) the nginx media suite authors
 *
 * AES-128 of HLS (RFC 8216 4.3.2.4): whole segments in CBC with padding, the
 * number of the segment is the initialization vector.  A segment is encrypted
 * as its parts are made, so what lies in the zone is what is sent; its last
 * part has the padding.  Keys are made here, every hls_fragments_per_key
 * segments, and lie beside the segments.  Called by ngx_media_hls_pack.c.
 */


#include "ngx_media_hls_pack.h"

#include <openssl/evp.h>
#include <openssl/rand.h>


#define NGX_MEDIA_HLS_BLOCK  16


static ngx_int_t ngx_media_hls_crypt_room(ngx_media_hls_out_t *out,
    size_t size);


/* the number of the key of segment msn, made when it is due; 0: none */

uint32_t
ngx_media_hls_crypt_key(ngx_media_hls_cutter_t *c, uint64_t msn)
{
    if (c->key && c->key_left) {
        c->key_left--;
        return c->key;
    }

    if (RAND_bytes(c->key_bytes, NGX_MEDIA_HLS_KEY_LEN) != 1) {

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "no random bytes for a key of HLS, the one before is "
                      "used again");

        if (c->key) {
            return c->key;
        }
    }

    /* like the segments' own, its number never comes again */

    c->key = (uint32_t) msn;
    c->key_left = c->fragments_per_key - 1;

    ngx_media_hls_store_key(&c->out[0].writer, c->key, c->key_bytes);

    return c->key;
}


ngx_int_t
ngx_media_hls_crypt_begin(ngx_media_hls_cutter_t *c, ngx_media_hls_out_t *out,
    uint64_t msn)
{
    u_char      iv[NGX_MEDIA_HLS_BLOCK];
    ngx_uint_t  i;

    if (out->cipher == NULL) {
        out->cipher = EVP_CIPHER_CTX_new();

        if (out->cipher == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_memzero(iv, sizeof(iv));

    for (i = 0; i < 8; i++) {
        iv[NGX_MEDIA_HLS_BLOCK - 1 - i] = (u_char) (msn >> (8 * i));
    }

    if (EVP_EncryptInit_ex(out->cipher, EVP_aes_128_cbc(), NULL, c->key_bytes,
                           iv)
        != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the bytes of a part become those of the encrypted one */

ngx_int_t
ngx_media_hls_crypt_part(ngx_media_hls_out_t *out, ngx_media_hls_pack_t *pack,
    ngx_uint_t last)
{
    int       n;
    size_t    size;
    uint32_t  i;

    if (out->cipher == NULL) {
        return NGX_ERROR;
    }

    size = 2 * NGX_MEDIA_HLS_BLOCK;

    for (i = 0; i < pack->nspans; i++) {
        size += pack->spans[i].size;
    }

    if (ngx_media_hls_crypt_room(out, size) != NGX_OK) {
        return NGX_ERROR;
    }

    size = 0;

    for (i = 0; i < pack->nspans; i++) {

        if (EVP_EncryptUpdate(out->cipher, out->secret + size, &n,
                              pack->spans[i].data,
                              (int) pack->spans[i].size)
            != 1)
        {
            return NGX_ERROR;
        }

        size += (size_t) n;
    }

    if (last) {

        if (EVP_EncryptFinal_ex(out->cipher, out->secret + size, &n) != 1) {
            return NGX_ERROR;
        }

        size += (size_t) n;
    }

    pack->spans[0].data = out->secret;
    pack->spans[0].size = size;
    pack->nspans = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_media_hls_crypt_room(ngx_media_hls_out_t *out, size_t size)
{
    if (size <= out->secret_size) {
        return NGX_OK;
    }

    if (out->secret) {
        ngx_free(out->secret);
    }

    out->secret_size = size + size / 2;
    out->secret = ngx_alloc(out->secret_size, ngx_cycle->log);

    if (out->secret == NULL) {
        out->secret_size = 0;
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_media_hls_crypt_free(ngx_media_hls_out_t *out)
{
    if (out->cipher) {
        EVP_CIPHER_CTX_free(out->cipher);
        out->cipher = NULL;
    }

    if (out->secret) {
        ngx_free(out->secret);
        out->secret = NULL;
        out->secret_size = 0;
    }
}
