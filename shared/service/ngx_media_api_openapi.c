
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the part of the API that describes it: docs/openapi.json, OpenAPI 3.1,
 * which the build has made a string of (config.make).  Blanks at the beginning
 * of its lines are left out, lines themselves too: no JSON text needs them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_api.h"


static const char  ngx_media_api_document[] =
#include <ngx_media_openapi.h>
    ;


ngx_int_t
ngx_media_api_openapi(ngx_media_api_t *api)
{
    ngx_media_json_raw(&api->json, ngx_media_api_document,
                       sizeof(ngx_media_api_document) - 1);

    return NGX_OK;
}
