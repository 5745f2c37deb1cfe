
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


#endif /* _NGX_MEDIA_VERSION_H_INCLUDED_ */
