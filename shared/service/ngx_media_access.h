
/*
 * Copyright (C) the nginx media suite authors
 *
 * Private hub of access without a back end (L3): the policy that its
 * directives make, and one function per concern.  A guard of the core calls
 * ngx_media_access_ask() for whoever wants to publish or play, whatever the
 * protocol; all is answered at once, nobody else is asked.
 *
 * Order: publish_name, bans, allow and deny, referers, publish_secret,
 * media_sign, media_jwt, and then the limits, so that who is refused does not
 * count.  Policy belongs to the configuration; a worker writes nothing there.
 */


#ifndef _NGX_MEDIA_ACCESS_H_INCLUDED_
#define _NGX_MEDIA_ACCESS_H_INCLUDED_


#include "ngx_media_core.h"

#include "ngx_media_ban.h"

#include <openssl/err.h>
#include <openssl/evp.h>


/* bits of ngx_media_act_e that a rule is about */

#define NGX_MEDIA_ACCESS_PUBLISH   0x1
#define NGX_MEDIA_ACCESS_PLAY      0x2
#define NGX_MEDIA_ACCESS_ALL       0x3

#define ngx_media_access_bit(act)                                             \
    ((act) == NGX_MEDIA_ACT_PUBLISH ? NGX_MEDIA_ACCESS_PUBLISH                \
                                    : NGX_MEDIA_ACCESS_PLAY)


/* allow, deny */

typedef struct {
    ngx_uint_t            acts;
    ngx_array_t           cidr;            /* of one ngx_cidr_t; none: all */
    unsigned              deny:1;
    u_char               *file;
    ngx_uint_t            line;
} ngx_media_access_rule_t;


/* publish_secret */

typedef struct {
    ngx_array_t          *list;            /* of ngx_str_t */
    unsigned              args:1;          /* where it may stand */
    unsigned              name:1;
} ngx_media_access_secret_t;


/* publish_name */

typedef struct {
    ngx_str_t             key;
    ngx_str_t             name;
} ngx_media_access_name_t;


/* media_sign */

typedef struct {
    ngx_uint_t            acts;
    const EVP_MD         *md;              /* NULL: MD5 of text and key */
    ngx_array_t           keys;            /* of ngx_str_t */
    ngx_str_t             arg;             /* zero-terminated, as expires */
    ngx_str_t             expires;
    unsigned              address:1;       /* it is a part of the text */
    unsigned              lifetime:1;      /* the session ends with it */
} ngx_media_access_sign_t;


/* media_jwt */

typedef struct {
    ngx_uint_t            acts;
    ngx_uint_t            alg;             /* NGX_MEDIA_JWT_* */
    ngx_array_t           keys;            /* HS256: of ngx_str_t */
    ngx_array_t           pkeys;           /* others: of EVP_PKEY * */
    ngx_str_t             arg;             /* zero-terminated, or "" */
    ngx_str_t             iss;             /* or "" */
    ngx_str_t             aud;
    time_t                leeway;
    unsigned              lifetime:1;
} ngx_media_access_jwt_t;


/* lists that are NULL are off */

typedef struct {
    ngx_array_t                *rules;     /* of ngx_media_access_rule_t */
    ngx_array_t                *referers[3];    /* of ngx_str_t: of publish,
                                                 * play and all */
    ngx_media_access_secret_t  *secret;
    ngx_array_t                *names;     /* of ngx_media_access_name_t */
    ngx_array_t                *signs;     /* of ngx_media_access_sign_t */
    ngx_array_t                *jwts;      /* of ngx_media_access_jwt_t */
    ngx_uint_t                  max_players;    /* 0: any number */
    ngx_uint_t                  max_sessions;   /* of an address */
    size_t                      max_rate;  /* bit/s; 0: any */
} ngx_media_access_conf_t;


#define NGX_MEDIA_ACCESS_REF_PUBLISH  0
#define NGX_MEDIA_ACCESS_REF_PLAY     1
#define NGX_MEDIA_ACCESS_REF_ALL      2


/* what is asked: act is never to connect */

typedef struct {
    ngx_media_ask_t            *ask;
    ngx_media_access_conf_t    *conf;
    ngx_uint_t                  act;
    ngx_str_t                   name;      /* of the stream, as it was asked
                                            * for; publish_name changes the
                                            * ask's */
} ngx_media_access_t;


#define ngx_media_access_policy(conf)                                         \
    ((ngx_media_access_conf_t *)                                              \
     (conf)[ngx_media_access_policy_module.ctx_index])

const char *ngx_media_access_act(ngx_uint_t act);


/*
 * Each of them: NGX_OK; NGX_DECLINED: ask->reason is set where it is not
 * NGX_MEDIA_REASON_DENIED, and one line is logged; NGX_ERROR.
 */
ngx_int_t ngx_media_access_name(ngx_media_access_t *a);
ngx_int_t ngx_media_access_banned(ngx_media_access_t *a);
ngx_int_t ngx_media_access_rules(ngx_media_access_t *a);
ngx_int_t ngx_media_access_referers(ngx_media_access_t *a);
ngx_int_t ngx_media_access_secret(ngx_media_access_t *a);
ngx_int_t ngx_media_access_sign(ngx_media_access_t *a);
ngx_int_t ngx_media_access_jwt(ngx_media_access_t *a);
ngx_int_t ngx_media_access_limits(ngx_media_access_t *a);

/* The decoded value of an argument, zero-terminated name, in the ask's pool.
 * NGX_OK; NGX_DECLINED: there is none, or it is damaged; NGX_ERROR. */
ngx_int_t ngx_media_access_arg(ngx_media_access_t *a, ngx_str_t *name,
    ngx_str_t *value);

/* The address in the form that bans and limits know, which is the network of
 * 64 bits of an IPv6 one; its length, 0: it is none.  addr has 8 bytes. */
ngx_uint_t ngx_media_access_addr(struct sockaddr *sa, u_char *addr);


/* directives with a form of their own; ngx_media_access_token_conf.c */
char *ngx_media_access_set_sign(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_media_access_set_jwt(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_uint_t ngx_media_access_acts(ngx_str_t *word);
/* NGX_ERROR: it looks like an option, and is no secret; it is logged. */
ngx_int_t ngx_media_access_check_secret(ngx_conf_t *cf, ngx_str_t *word);

/* max_publish_rate; ngx_media_access_rate.c */
ngx_int_t ngx_media_access_rate_init(void);

ngx_int_t ngx_media_access_init_process(ngx_cycle_t *cycle);


#endif /* _NGX_MEDIA_ACCESS_H_INCLUDED_ */
