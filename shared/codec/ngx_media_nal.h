
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: what H.264, H.265 and H.266 share below their syntax: NAL units behind
 * a length (ISO/IEC 14496-15) or behind start codes (Annex B).  All functions
 * only look at the caller's bytes; spans point into them.
 */


#ifndef _NGX_MEDIA_NAL_H_INCLUDED_
#define _NGX_MEDIA_NAL_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


typedef struct {
    const u_char  *data;    /* NAL header first */
    size_t         size;
} ngx_media_nal_t;


/* Room that ngx_media_nal_from_annexb() needs at most for n bytes. */

#define ngx_media_nal_from_annexb_room(n)  ((n) + (n) / 3 + 8)


/*
 * The next NAL of a length-prefixed access unit; nal_size is 1..4.  Returns
 * the position after it, or NULL where the length exceeds what is left:
 *
 *     while (pos < end) {
 *         pos = ngx_media_nal_next(pos, end, 4, &nal);
 *         if (pos == NULL) { damaged }
 *     }
 *
 * A NAL of size 0 is handed out as such.
 */
const u_char *ngx_media_nal_next(const u_char *pos, const u_char *end,
    unsigned nal_size, ngx_media_nal_t *nal);

/*
 * The next set of an array of 16-bit lengths and bytes, as decoder
 * configuration records hold parameter sets.  Same returns.
 */
const u_char *ngx_media_nal_next_set(const u_char *pos, const u_char *end,
    ngx_media_nal_t *nal);

/*
 * The next NAL behind a start code, without trailing zero bytes; what comes
 * before the first start code is left out.  Returns the position to go on
 * from, or NULL when there is no further NAL.
 */
const u_char *ngx_media_nal_next_annexb(const u_char *pos, const u_char *end,
    ngx_media_nal_t *nal);

/*
 * 1 where the payload begins with a start code and is no well-formed chain of
 * length-prefixed NALs, else 0.
 */
int ngx_media_nal_is_annexb(const u_char *pos, const u_char *end,
    unsigned nal_size);

/*
 * Rewrites Annex B as NALs behind lengths of nal_size (1..4) bytes into the
 * caller's buffer.  Returns the bytes written, or -1 where the buffer or the
 * length is too small; see ngx_media_nal_from_annexb_room().
 */
ssize_t ngx_media_nal_from_annexb(const u_char *pos, const u_char *end,
    unsigned nal_size, u_char *out, size_t size);

/*
 * The sample aspect ratio of an aspect_ratio_idc (H.264 table E-1, H.265
 * table E.1); 0:0 where it is none of these.
 */
void ngx_media_nal_sar(unsigned idc, uint16_t *width, uint16_t *height);

/*
 * Looks for a recovery point (H.264 D.1.8, H.265 D.2.8) among the messages of
 * an SEI NAL; pos is behind the NAL header.  1: there is one, and *count is 0
 * where its own picture is whole already; 0: none.
 */
int ngx_media_nal_sei_recovery(const u_char *pos, const u_char *end,
    uint32_t *count);


#endif /* _NGX_MEDIA_NAL_H_INCLUDED_ */
