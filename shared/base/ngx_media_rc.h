
/*
 * Copyright (C) the nginx media suite authors
 *
 * L0: return codes of the pure C layers.  The values are those of nginx's
 * NGX_OK and its kin, so that L2 to L4 may hand them through.
 */


#ifndef _NGX_MEDIA_RC_H_INCLUDED_
#define _NGX_MEDIA_RC_H_INCLUDED_


#define NGX_MEDIA_OK         0
#define NGX_MEDIA_ERROR     -1  /* damaged or truncated input */
#define NGX_MEDIA_AGAIN     -2  /* needs more bytes than it was given */
#define NGX_MEDIA_DONE      -4  /* nothing more to hand out */
#define NGX_MEDIA_DECLINED  -5  /* not found, or not of this kind */


#endif /* _NGX_MEDIA_RC_H_INCLUDED_ */
