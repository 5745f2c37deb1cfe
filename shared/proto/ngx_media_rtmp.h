
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the numbers of RTMP: message types, user control events, chunk stream
 * ids and limits.  Used by the handshake, chunk reader and writer beside it
 * and by every module that speaks RTMP.
 *
 * Adobe RTMP specification 1.0, sections 5.3 to 7.1.
 */


#ifndef _NGX_MEDIA_RTMP_H_INCLUDED_
#define _NGX_MEDIA_RTMP_H_INCLUDED_


#define NGX_MEDIA_RTMP_PORT                  1935
#define NGX_MEDIA_RTMPS_PORT                 443

#define NGX_MEDIA_RTMP_VERSION               3
#define NGX_MEDIA_RTMPE_VERSION              6


/* message types, sections 5.4, 6.2 and 7.1 */

#define NGX_MEDIA_RTMP_SET_CHUNK_SIZE        1
#define NGX_MEDIA_RTMP_ABORT                 2
#define NGX_MEDIA_RTMP_ACK                   3
#define NGX_MEDIA_RTMP_USER                  4
#define NGX_MEDIA_RTMP_WINDOW_ACK_SIZE       5
#define NGX_MEDIA_RTMP_SET_PEER_BANDWIDTH    6
#define NGX_MEDIA_RTMP_AUDIO                 8
#define NGX_MEDIA_RTMP_VIDEO                 9
#define NGX_MEDIA_RTMP_AMF3_DATA             15
#define NGX_MEDIA_RTMP_AMF3_SHARED           16
#define NGX_MEDIA_RTMP_AMF3_COMMAND          17
#define NGX_MEDIA_RTMP_AMF0_DATA             18
#define NGX_MEDIA_RTMP_AMF0_SHARED           19
#define NGX_MEDIA_RTMP_AMF0_COMMAND          20
#define NGX_MEDIA_RTMP_AGGREGATE             22


/* user control events, section 7.1.7 */

#define NGX_MEDIA_RTMP_STREAM_BEGIN          0
#define NGX_MEDIA_RTMP_STREAM_EOF            1
#define NGX_MEDIA_RTMP_STREAM_DRY            2
#define NGX_MEDIA_RTMP_SET_BUFFER_LENGTH     3
#define NGX_MEDIA_RTMP_STREAM_IS_RECORDED    4
#define NGX_MEDIA_RTMP_PING_REQUEST          6
#define NGX_MEDIA_RTMP_PING_RESPONSE         7


/* limit types of set peer bandwidth, section 5.4.5 */

#define NGX_MEDIA_RTMP_LIMIT_HARD            0
#define NGX_MEDIA_RTMP_LIMIT_SOFT            1
#define NGX_MEDIA_RTMP_LIMIT_DYNAMIC         2


/*
 * Chunk stream ids.  2 is for protocol control (section 5.4); the others are
 * convention only: any peer may use any id from 3 to 65599.
 */

#define NGX_MEDIA_RTMP_CSID_CONTROL          2
#define NGX_MEDIA_RTMP_CSID_COMMAND          3
#define NGX_MEDIA_RTMP_CSID_AUDIO            4
#define NGX_MEDIA_RTMP_CSID_DATA             5
#define NGX_MEDIA_RTMP_CSID_VIDEO            6
#define NGX_MEDIA_RTMP_CSID_STREAM           8   /* play, publish, onStatus */

#define NGX_MEDIA_RTMP_MIN_CSID              2
#define NGX_MEDIA_RTMP_MAX_CSID              65599


#define NGX_MEDIA_RTMP_DEFAULT_CHUNK_SIZE    128
#define NGX_MEDIA_RTMP_MAX_CHUNK_SIZE        0xffffff
#define NGX_MEDIA_RTMP_MAX_MESSAGE           0xffffff
#define NGX_MEDIA_RTMP_EXT_TIMESTAMP         0xffffff

/* header of a message: basic 3, message 11, extended timestamp 4 */
#define NGX_MEDIA_RTMP_MAX_HEADER            18

/* longest ready-made control message: header 12, extended 0, body 10 */
#define NGX_MEDIA_RTMP_MAX_CONTROL           32


#endif /* _NGX_MEDIA_RTMP_H_INCLUDED_ */
