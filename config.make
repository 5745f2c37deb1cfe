
# Copyright (C) the nginx media suite authors

# The modules are linked with the core, which nginx's makefile cannot know.

if [ -n "$ngx_media_linked" -a -n "$DYNAMIC_MODULES" ]; then

    for ngx_media_module in $ngx_media_linked
    do
        cat << END                                            >> $NGX_MAKEFILE

$NGX_OBJS/$ngx_media_module$ngx_modext: \\
	$NGX_OBJS/ngx_media_core_module$ngx_modext

END
    done
fi
