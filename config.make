
# Copyright (C) the nginx media suite authors

# What nginx's makefile cannot know: the modules are linked with the core,
# and a description of the API is compiled into it, a line of the document in
# each line of a string.

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/ngx_media_openapi.h: $ngx_media_dir/docs/openapi.json
	sed -e 's/^ *//' -e 's/\\\\/\\\\\\\\/g' -e 's/"/\\\\"/g' \\
		-e 's/.*/    "&"/' \\
		$ngx_media_dir/docs/openapi.json > \$@

$NGX_OBJS/addon/service/ngx_media_api_openapi.o: \\
	$NGX_OBJS/ngx_media_openapi.h

END

if [ -n "$ngx_media_linked" -a -n "$DYNAMIC_MODULES" ]; then

    for ngx_media_module in $ngx_media_linked
    do
        cat << END                                            >> $NGX_MAKEFILE

$NGX_OBJS/$ngx_media_module$ngx_modext: \\
	$NGX_OBJS/ngx_media_core_module$ngx_modext

END
    done
fi
