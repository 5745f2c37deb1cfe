
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: selections of tracks.  See ngx_media_tracks.h.
 *
 * Enhanced RTMP v2 numbers the tracks of a kind and calls 0 the default one;
 * the form of the argument is our own.
 */


#include "ngx_media_tracks.h"


#define NGX_MEDIA_TRACKS_KINDS  2

#define ngx_media_tracks_lowest(t)  ((t) & (~(t) + 1))


static const uint32_t  ngx_media_tracks_kinds[NGX_MEDIA_TRACKS_KINDS] = {
    NGX_MEDIA_TRACKS_VIDEO, NGX_MEDIA_TRACKS_AUDIO
};


static const u_char *ngx_media_tracks_word(const u_char *pos,
    const u_char *end, const char *word);
static const u_char *ngx_media_tracks_item(const u_char *pos,
    const u_char *end, uint32_t *tracks);


int
ngx_media_tracks_parse(const u_char *pos, const u_char *end, uint32_t *tracks)
{
    uint32_t       set;
    const u_char  *next;

    set = NGX_MEDIA_TRACKS_SCRIPT;

    for ( ;; ) {
        pos = ngx_media_tracks_item(pos, end, &set);

        if (pos == NULL) {
            return NGX_MEDIA_ERROR;
        }

        if (pos == end) {
            *tracks = set;
            return NGX_MEDIA_OK;
        }

        next = ngx_media_tracks_word(pos, end, ",");

        if (next == NULL) {
            next = ngx_media_tracks_word(pos, end, "%2c");
        }

        if (next == NULL) {
            return NGX_MEDIA_ERROR;
        }

        pos = next;
    }
}


int
ngx_media_tracks_arg(const ngx_media_url_str_t *args, uint32_t *tracks)
{
    const u_char         *p, *last, *end;
    ngx_media_url_str_t   value;

    if (!ngx_media_arg(args, "tracks", &value)) {
        return NGX_MEDIA_DECLINED;
    }

    last = value.data + value.len;
    end = args->data + args->len;

    while (last < end && *last == ',') {

        for (p = last + 1; p < end && *p != '='; p++) {

            if (*p == ',' || *p == '&' || *p == ';' || *p == '?' || *p == '#')
            {
                break;
            }
        }

        if (p < end && *p == '=') {
            break;
        }

        last = p;
    }

    return ngx_media_tracks_parse(value.data, last, tracks);
}


/* behind a word that stands at pos, or NULL */

static const u_char *
ngx_media_tracks_word(const u_char *pos, const u_char *end, const char *word)
{
    u_char  c;

    for ( /* void */ ; *word; word++, pos++) {

        if (pos == end) {
            return NULL;
        }

        c = *pos;

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (c != (u_char) *word) {
            return NULL;
        }
    }

    return pos;
}


static const u_char *
ngx_media_tracks_item(const u_char *pos, const u_char *end, uint32_t *tracks)
{
    unsigned       id, audio;
    const u_char  *next;

    next = ngx_media_tracks_word(pos, end, "all");

    if (next) {
        *tracks |= NGX_MEDIA_TRACKS_ALL;
        return next;
    }

    next = ngx_media_tracks_word(pos, end, "default");

    if (next) {
        *tracks |= NGX_MEDIA_TRACKS_DEFAULT;
        return next;
    }

    audio = 0;
    next = ngx_media_tracks_word(pos, end, "v");

    if (next == NULL) {
        audio = 1;
        next = ngx_media_tracks_word(pos, end, "a");
    }

    if (next == NULL) {
        return NULL;
    }

    if (next == end || *next < '0' || *next > '9') {
        *tracks |= ngx_media_tracks_kinds[audio];
        return next;
    }

    id = (unsigned) (*next++ - '0');

    if (id > NGX_MEDIA_TRACK_ID_MAX) {
        return NULL;
    }

    *tracks |= 1u << (audio ? ngx_media_track_audio(id)
                            : ngx_media_track_video(id));

    return next;
}


uint8_t
ngx_media_tracks_number(uint32_t tracks, uint8_t track)
{
    uint32_t  set;

    if (track >= NGX_MEDIA_TRACK_SCRIPT) {
        return track;
    }

    set = tracks & ngx_media_tracks_kinds[track & 1];

    if (ngx_media_tracks_lowest(set) == 1u << track) {
        return (track & 1) ? NGX_MEDIA_TRACK_AUDIO : NGX_MEDIA_TRACK_VIDEO;
    }

    return track;
}


uint32_t
ngx_media_tracks_limit(uint32_t tracks, uint32_t have)
{
    unsigned  i;
    uint32_t  kind;

    for (i = 0; i < NGX_MEDIA_TRACKS_KINDS; i++) {
        kind = ngx_media_tracks_kinds[i];

        if ((tracks & kind) == kind
            || (tracks & kind & ~NGX_MEDIA_TRACKS_DEFAULT) == 0)
        {
            continue;
        }

        tracks &= ~kind | have;
    }

    return tracks;
}


uint32_t
ngx_media_tracks_single(uint32_t tracks)
{
    unsigned  i;
    uint32_t  set, single;

    single = 0;

    for (i = 0; i < NGX_MEDIA_TRACKS_KINDS; i++) {
        set = tracks & ngx_media_tracks_kinds[i];
        single |= ngx_media_tracks_lowest(set);
    }

    return single;
}


int
ngx_media_tracks_chosen(uint32_t tracks)
{
    unsigned  i;
    uint32_t  kind;

    for (i = 0; i < NGX_MEDIA_TRACKS_KINDS; i++) {
        kind = ngx_media_tracks_kinds[i];

        if ((tracks & kind) != kind
            && (tracks & kind & ~NGX_MEDIA_TRACKS_DEFAULT) != 0)
        {
            return 1;
        }
    }

    return 0;
}
