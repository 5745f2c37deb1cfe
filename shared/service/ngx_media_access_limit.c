
/*
 * Copyright (C) the nginx media suite authors
 *
 * max_players and max_sessions_per_address: the guard's part.  The core counts
 * (ngx_media_limit.c): a session is checked and counted at once and counts
 * until it stops or is gone; a viewer of HLS has no entry yet, so it is only
 * looked at here and counted when it gets one (ngx_media_viewer_new()), which
 * refuses it again where others were faster.  Who has no id would not count
 * and gets nothing that is for viewers.
 */


#include "ngx_media_access.h"
#include "ngx_media_hls.h"


static ngx_int_t ngx_media_access_limit(ngx_media_access_t *a,
    ngx_uint_t which, uint64_t key, ngx_uint_t max, const char *directive);


ngx_int_t
ngx_media_access_limits(ngx_media_access_t *a)
{
    u_char            addr[8];
    ngx_str_t         texts[4];
    ngx_media_ask_t  *ask;

    ask = a->ask;

    if (ask->request && (a->conf->max_sessions || a->conf->max_players)
        && ngx_media_hls_viewers_only(ask))
    {
        ask->reason = NGX_MEDIA_REASON_DENIED;
        return NGX_DECLINED;
    }

    if (a->conf->max_sessions && !ask->request) {
        ngx_str_set(&texts[0], "address");
        texts[1].data = addr;
        texts[1].len = ngx_media_access_addr(ask->connection->sockaddr, addr);

        if (texts[1].len
            && ngx_media_access_limit(a, NGX_MEDIA_LIMIT_ADDRESS,
                                      ngx_media_limit_key(texts, 2),
                                      a->conf->max_sessions,
                                      "max_sessions_per_address")
               != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    if (a->conf->max_players && a->act == NGX_MEDIA_ACT_PLAY) {
        ngx_str_set(&texts[0], "players");
        texts[1] = ask->text[NGX_MEDIA_TEXT_VHOST];
        texts[2] = ask->text[NGX_MEDIA_TEXT_APP];
        texts[3] = ask->text[NGX_MEDIA_TEXT_STREAM];

        return ngx_media_access_limit(a, NGX_MEDIA_LIMIT_PLAYERS,
                                      ngx_media_limit_key(texts, 4),
                                      a->conf->max_players, "max_players");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_access_limit(ngx_media_access_t *a, ngx_uint_t which, uint64_t key,
    ngx_uint_t max, const char *directive)
{
    ngx_int_t         rc;
    ngx_media_ask_t  *ask;

    ask = a->ask;

    if (ask->session) {
        rc = ngx_media_limit_take(ask->session->client, which, key,
                                  (uint32_t) max);

    } else {
        ask->limits.key[which] = key;
        ask->limits.max[which] = (uint32_t) max;

        /* one request does not count, but has no room where there is none */

        rc = (ngx_media_limit_count(key) < max) ? NGX_OK : NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, ask->connection->log, 0,
                  "media access: %s is refused by \"%s %ui\"",
                  ngx_media_access_act(a->act), directive, max);

    ask->reason = NGX_MEDIA_REASON_LIMIT;

    return NGX_DECLINED;
}
