#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Directives of hooks: what is refused and what is said about it; URLs that are
# inherited, replaced and switched off.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Hook;
use Test::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live /);

my $url = 'http://127.0.0.1:8085';

refused("on_publish ftp://127.0.0.1/x;", qr/invalid URL "ftp:/);
refused("on_publish /x;", qr/invalid URL/);
refused("on_publish;", qr/number of arguments/);
refused("on_publish $url/a; on_publish $url/b;",
    qr/is duplicate, give all URLs to one/);
refused("on_play $url/\$uri;", qr/unknown variable, say \$media_vhost/);
refused("on_play $url/\${media_app;", qr/unknown variable|unexpected end/);
refused("on_play http://\$media_app.example.com/;", qr/invalid URL/);
refused("on_play http://no-such-host.invalid/;", qr/no-such-host\.invalid/);
refused("hook_timeout 0;", qr/between 10ms and 5m/);
refused("hook_timeout x;", qr/hook_timeout/);
refused("hook_update 10ms;", qr/between 1s and 1d/);
refused("hook_retry 11;", qr/up to 10/);
refused("hook_retry -1;", qr/hook_retry/);
refused("hook_queue 2h;", qr/up to 1h/);
refused("hook_fail maybe;", qr/"deny" or "allow"/);
refused("hook_format json;", qr/"srs" or "rtmp" or "oryx"/);
refused("heartbeat $url/x 10;heartbeat $url/y;", qr/is duplicate/);
refused("heartbeat $url/x soon;", qr/invalid time "soon"/);
refused("application a { heartbeat $url/x; }", qr/not allowed here/);

accepted("on_publish off; on_play $url/\$media_app/\$media_stream?\$media_args"
    . "&p=\$pid&h=\$hostname&t=\$msec&i=\$time_iso8601&a=\$media_arg_x"
    . "&c=\$media_client_id&v=\${media_vhost}&q=\$media_protocol;");
accepted("on_connect $url; on_close $url; on_publish $url; on_unpublish $url;"
    . "on_play $url; on_stop $url; on_dvr $url; on_hls $url; on_forward $url;"
    . "on_hls_notify $url/[server_id]/[ts_url][other]; on_update $url;"
    . "hook_update 1d; hook_timeout 10ms; hook_retry 10; hook_queue 0;"
    . "hook_cache 1h; hook_fail deny; hook_format oryx; hook_secret s;"
    . "heartbeat $url;");
accepted("on_publish https://127.0.0.1/x?y=z http://user:pass\@127.0.0.1/;");

###############################################################################

# inherited, replaced, off

config(<<EOC);
    on_publish $url/main;

    application replaced { on_publish $url/replaced $url/again; }
    application off { on_publish off; }

    vhost other.test {
        on_publish $url/vhost;
        application live { }
        application off { on_publish off; }
    }

    vhost off.test {
        on_publish off;
        application live { }
        application on { on_publish $url/on; }
    }
EOC

my $hook = Test::Nginx::Hook->new($t, port(8085));

$t->run();

asked('live', '', '/main');
asked('any', '', '/main');
asked('replaced', '', '/replaced /again');
asked('off', '', '');
asked('live', 'other.test', '/vhost');
asked('none', 'other.test', '/vhost');
asked('off', 'other.test', '');
asked('live', 'off.test', '');
asked('on', 'off.test', '/on');
asked('live', 'unknown.test', '/main');

# after a reload

config("on_publish $url/new;");
$t->reload();

asked('live', '', '/new');
asked('off', '', '/new');

$t->stop();

###############################################################################

sub config {
    my ($text) = @_;

    $t->write_file_expand('nginx.conf', <<'EOC' =~ s/%%MEDIA%%/$text/r);

%%TEST_GLOBALS%%

daemon off;
worker_processes %%WORKERS%%;

events {
}

media {
    %%MEDIA%%
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location /api/ { media_api; }
    }
}

EOC
}

sub refused {
    my ($text, $why) = @_;

    config($text);

    my ($status, $said) = $t->test_config();

    ok($status != 0 && $said =~ $why, "refused: $text") or diag($said);
    like($said, qr/nginx\.conf:\d+/, 'with its line');
}

sub accepted {
    my ($text) = @_;

    config($text);

    my ($status, $said) = $t->test_config();

    is($status, 0, 'accepted: ' . substr $text, 0, 40) or diag($said);
}

sub asked {
    my ($app, $vhost, $want) = @_;

    $hook->forget();

    my $c = Test::RTMP->new(port(1935))->connect($app,
        $vhost ? (host => $vhost) : ());

    $c->publish('x');
    $c->close();

    is(join(' ', map { $_->{path} } $hook->requests()), $want,
        "$vhost/$app is asked at: " . ($want || 'nobody'));
}

###############################################################################

done_testing();

###############################################################################
