
/*
 * Copyright (C) the nginx media suite authors
 *
 * The version of the suite: the API, banners and manifests tell this one.
 */


#ifndef _NGX_MEDIA_VERSION_H_INCLUDED_
#define _NGX_MEDIA_VERSION_H_INCLUDED_


#define NGX_MEDIA_VERSION_MAJOR     0
#define NGX_MEDIA_VERSION_MINOR     1
#define NGX_MEDIA_VERSION_REVISION  0

#define NGX_MEDIA_VERSION           "0.1.0"

/* day of this version, UTC; in seconds since the epoch */

#define NGX_MEDIA_VERSION_DATE      "2026-11-20 00:00:00"
#define NGX_MEDIA_VERSION_TIME      "1795132800"


#endif /* _NGX_MEDIA_VERSION_H_INCLUDED_ */
