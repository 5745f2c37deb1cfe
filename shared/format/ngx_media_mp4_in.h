
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: boxes in memory, and the tables of a progressive file: for the files
 * that read MP4 only.
 */


#ifndef _NGX_MEDIA_MP4_IN_H_INCLUDED_
#define _NGX_MEDIA_MP4_IN_H_INCLUDED_


#include "ngx_media_mp4_box.h"
#include "ngx_media_mp4_moov.h"


#define NGX_MEDIA_MP4_MAX_TICKS   (1ULL << 61)      /* of a time in a file */
#define NGX_MEDIA_MP4_MAX_SHIFT   (1LL << 50)       /* us */
#define NGX_MEDIA_MP4_MAX_ALIKE   65536             /* samples of a moof in
                                                     * runs without entries */


/*
 * The next whole box of a span: *body and *body_end are what is in it.
 * NGX_MEDIA_OK, NGX_MEDIA_DONE, NGX_MEDIA_ERROR.
 */
int ngx_media_mp4_next(const u_char **pos, const u_char *end, uint32_t *type,
    const u_char **body, const u_char **body_end);

/* The first box of a type in a span: NGX_MEDIA_OK, DECLINED, ERROR. */
int ngx_media_mp4_find(const u_char *pos, const u_char *end, uint32_t type,
    const u_char **body, const u_char **body_end);

/*
 * Writes the tables of a track that has samples, behind its stsd: base is
 * where, in the file, the payload begins, large asks for offsets of 64 bits.
 */
void ngx_media_mp4_moov_tables(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track, uint64_t base, unsigned large);


#endif /* _NGX_MEDIA_MP4_IN_H_INCLUDED_ */
