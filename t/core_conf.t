#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# media{} as nginx reads it: what is refused and how that is told, which value
# counts where, the order of modules, what a reload may change, and nginx's
# other ways to run: one process, a cache manager beside, logs reopened.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;
use Test::RTMP;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/)
    ->has_daemon('ffmpeg');

###############################################################################

# refused, with the line (those here begin at 8) and a word of the reason

for my $case (
    [ 8, 'must be "on" or "off"', 'gop_cache maybe;' ],
    [ 8, 'must be "on" or "off"', 'mix_correct 1;' ],
    [ 8, 'must be "on" or "off"', 'reduce_sequence_header yes;' ],
    [ 8, 'invalid time "soon".*say', 'queue_length soon;' ],
    [ 8, 'too short.*say', 'queue_length 100ms;' ],
    [ 9, 'too short.*say', "application a {\nqueue_length 0; }" ],
    [ 8, 'invalid time.*say', 'send_latency 1x;' ],
    [ 8, 'must be shorter than queue_length', 'send_latency 10s;' ],
    [ 11, 'must be shorter than queue_length',
        "queue_length 2s;\nvhost a {\napplication b {\nsend_latency 2s;\n}\n}"
    ],
    [ 8, 'invalid value "fast".*"full" or "zero" or "off"',
        'time_jitter fast;' ],
    [ 8, 'invalid value "maybe".*"off" or "on" or "auto"', 'atc maybe;' ],
    [ 8, 'invalid value "both".*"reject" or "replace"',
        'publish_conflict both;' ],
    [ 8, 'invalid time "0".*say', 'publish_timeout 0 5s;' ],
    [ 8, 'invalid time "x".*say', 'publish_timeout 5s x;' ],
    [ 8, 'number of arguments', 'publish_timeout 1s 2s 3s;' ],
    [ 8, 'invalid time "-1".*say', 'republish_wait -1;' ],
    [ 8, 'invalid time "never".*say', 'idle_timeout never;' ],
    [ 9, 'duplicate', "gop_cache on;\ngop_cache on;" ],
    [ 9, 'duplicate', "time_jitter off;\ntime_jitter off;" ],
    [ 9, 'duplicate', "idle_timeout 1s;\nidle_timeout 1s;" ],
    [ 9, 'duplicate', "publish_timeout 1s;\npublish_timeout 2s;" ],
    [ 8, 'invalid media zone size.*say', 'zone 4m;' ],
    [ 8, 'invalid media zone size.*say', 'zone lots;' ],
    [ 9, 'duplicate', "zone 64m;\nzone 64m;" ],
    [ 8, 'not allowed here', 'vhost a { zone 64m; }' ],
    [ 8, 'not allowed here', 'application a { vhost b { } }' ],
    [ 8, 'not allowed here', 'application a { application b { } }' ],
    [ 8, 'invalid vhost', 'vhost a/b { }' ],
    [ 8, 'invalid vhost', 'vhost a*b { }' ],
    [ 8, 'invalid vhost', 'vhost "" { }' ],
    [ 9, 'duplicate vhost "a".*:8', "vhost a { }\nvhost A { }" ],
    [ 8, 'invalid application', 'application /a { }' ],
    [ 8, 'invalid application', 'application a..b { }' ],
    [ 9, 'duplicate application "a".*:8',
        "application a { }\napplication a { }" ],
    [ 8, 'unknown directive', 'nothing_of_the_kind on;' ],
    [ 9, 'duplicate', "}\nmedia {" ],

    # of two values that do not go together the inner one is told, or the last

    [ 9, 'latency of 5000 ms must be shorter than queue_length, 2000 ms, in',
        "send_latency 5s;\nqueue_length 2s;" ],
    [ 10, 'latency of 5000 ms must be shorter than queue_length, 2000 ms, in',
        "send_latency 5s;\napplication a {\nqueue_length 2s;\n}" ],
    [ 12, 'must be shorter than queue_length, 11000 ms, in',
        "application x { queue_length 2s; }\nvhost v {\napplication a {"
        . " send_latency 1s; }\n}\nvhost w { application b { send_latency"
        . " 20s; } }\nqueue_length 11s;" ],

    # the same of HTTP streaming, in each kind of block

    [ 8, 'invalid value "yes".*say "off" or "on" or "demand"', 'hls yes;' ],
    [ 9, 'invalid value "mp3".*say "fmp4" or "mpegts"',
        "vhost v {\nhls_container mp3; }" ],
    [ 9, 'duplicate', "hls on;\nhls on;" ],
    [ 9, 'duplicate', "hls_key_url /a;\nhls_key_url /b;" ],
    [ 9, 'duplicate', "hls_fragments_per_key 1;\nhls_fragments_per_key 1;" ],
    [ 8, 'must be "on" or "off"', 'hls_session 1;' ],
    [ 9, 'must be "on" or "off"', "application a {\ndash yes; }" ],
    [ 8, 'invalid time "soon" in "hls_window", say', 'hls_window soon;' ],
    [ 8, 'invalid time "x" in "hls_fragment", say.* 500ms and 60s',
        'hls_fragment x;' ],
    [ 9, 'invalid time "100ms" in "hls_fragment", say.* 500ms and 60s',
        "application a {\nhls_fragment 100ms; }" ],
    [ 10, 'invalid time "61s" in "hls_fragment", say.* 500ms and 60s',
        "vhost v {\napplication a {\nhls_fragment 61s; } }" ],
    [ 8, 'invalid number "0" in "hls_fragments_per_key", say 1 or more',
        'hls_fragments_per_key 0;' ],
    [ 8, 'invalid number "-1" in "hls_fragments_per_key", say 1 or more',
        'hls_fragments_per_key -1;' ],
    [ 8, 'hls_part of 20 ms must be 0, or 100ms or more', 'hls_part 20ms;' ],
    [ 9, 'hls_part of 3000 ms must .*not longer than hls_fragment, 2000 ms,',
        "vhost v {\nhls_part 3s; }" ],
    [ 10, 'hls_part of 3000 ms must .*not longer than hls_fragment, 1000 ms,',
        "hls_fragment 4s; hls_part 3s;\nvhost v {\nhls_fragment 1s; }" ],
    [ 8, 'hls_window of 3000 ms is too short, say three times',
        'hls_window 3s;' ],
    [ 11, 'hls_window of 8000 ms is too short.* 3000 ms,',
        "hls_window 8s;\nvhost v {\napplication a {\nhls_fragment 3s; } }" ],
    [ 10, 'hls_window of 8000 ms is too short.* 3000 ms,',
        "hls_fragment 3s;\napplication a {\nhls_window 8s; }" ],
    [ 8, 'hls_window of 86400000 ms has more than 504 segments',
        'hls_window 1d;' ],
    [ 9, 'hls_window of 7200000 ms must not be longer than 1h',
        "hls_fragment 60s;\nhls_window 2h;" ],
    [ 12, 'hls_window of 180000 ms has more than .* keys, give',
        "hls_window 3m;\nvhost v {\nhls_fragments_per_key 1;\n"
        . "application a {\nhls_keys on; } }" ],
    [ 10, '"dash on" needs "hls_container fmp4"',
        "hls_container mpegts;\nvhost v {\ndash on; }" ],
    [ 9, '"dash on" and "hls_keys on" exclude each other',
        "dash on;\nhls_keys on;" ],
    [ 9, 'duplicate hls_group "a"', "hls_group a b;\nhls_group a c;" ],
) {
    my ($line, $what, $text) = @$case;
    my ($status, $log) = check("media {\n$text\n}");

    (my $name = $text) =~ s/\n/ /g;

    ok($status != 0, "$name is refused");
    like($log, qr/\[emerg\].*$what.*nginx\.conf:$line$/m,
        "$name: why and where");
    is(scalar(() = $log =~ /\[(?!notice|info|debug)\w+\]/g), 1,
        "$name: in one line");
}

# and what is not

for my $text ('', 'application live { }', 'vhost *.example.com { }',
    "vhost a { application x { } }\napplication x { }\nvhost b {"
        . " application x { } }",
    'zone 64m; gop_cache off; queue_length 1s; send_latency 350ms;'
        . ' time_jitter zero; mix_correct on; atc auto;'
        . ' reduce_sequence_header on; publish_timeout 1s;'
        . ' publish_conflict replace; republish_wait 0; idle_timeout 0;',
    "application a {\ngop_cache off; send_latency 1s; }\ngop_cache on;",
    'application a/b/c { publish_timeout 1s 2s; }',
    'hls demand; hls_fragment 500ms; hls_part 0; hls_window 1500ms;'
        . ' hls_fragments_per_key 1000000; hls_key_url "";',
    'hls_keys on; application a { hls_keys off; dash on; }',
    'hls_container mpegts; vhost v { hls_container fmp4; application a {'
        . ' dash on; } }',
    'hls_keys on; application a { hls_path %%TESTDIR%%/a; }',
    'hls_path %%TESTDIR%%/a; hls_key_file [app]/keys/[stream]-[seq].key;'
        . ' vhost v { hls_keys on; }')
{
    my ($status, $log) = check("media {\n$text\n}");

    (my $name = $text) =~ s/\n/ /g;

    is($status, 0, "\"$name\" is taken") or diag($log);
    unlike($log, qr/\[(warn|alert|error)\]/, "\"$name\": nothing is said");
}

my ($status, $log) = check("media {\nzone 16m;\n}");

is($status, 0, 'a small zone is taken');
like($log, qr/\[warn\].*media zone of 16m is small.*nginx\.conf:8$/m,
    'with a warning');

($status, $log) = check("media {\nhls_session off;\nvhost v {\n"
    . "on_stop http://127.0.0.1:1/;\napplication a { }\n}\napplication b {\n"
    . "hls_session on; on_play http://127.0.0.1:1/; } }");

is($status, 0, 'hls_session off beside on_stop is taken');
is(join(' ', $log =~ /\[warn\].*hls_session off.*nginx\.conf:(\d+)$/mg), '8',
    'with one warning');

is((check(''))[0], 0, 'no media{} at all');

($status, $log) = check('', 'media { }');
ok($status != 0 && $log =~ /"media" directive is not allowed here.*:\d+/,
    'media{} in http{}');

($status, $log) = check('gop_cache on;');
ok($status != 0 && $log =~ /"gop_cache" directive.*:7$/m, 'policy outside');

# media{} after the protocols that use it

$t->write_file_expand('nginx.conf', conf('', '') . "\nmedia { zone 64m; }\n");
is(scalar $t->test_config(), 0, 'media{} at the end');

###############################################################################

# the order of modules: ours in any order, the core first or not at all

my $stream = $t->load_modules('rtmp') =~ /^(.*ngx_stream_module.*\n)/
    ? $1 : '';
my ($core, $rtmp, $flv) = map { $t->load_modules($_) =~ /^(load_module
    \s\S*ngx_(?:media|http_flv|stream_rtmp)\S*;\n)/mx ? $1 : '' }
    qw/ media rtmp flv_live /;

SKIP: {
    skip 'modules are static', 8 if $core eq '';

    for my $order ([$core, $stream, $rtmp, $flv], [$stream, $core, $flv,
        $rtmp], [$stream, $rtmp, $flv], [$flv, $stream, $rtmp])
    {
        ($status, $log) = modules(@$order);
        is($status, 0, 'order ' . short(@$order)) or diag($log);
    }

    ($status, $log) = modules($stream, $rtmp, $flv, $core);
    ok($status != 0, 'the core after another one is refused');
    like($log, qr/\[emerg\].*already loaded/, 'and told');

    skip 'stream is static', 2 if $stream eq '';

    ($status, $log) = modules($rtmp, $stream);
    ok($status != 0, 'rtmp before stream is refused');
    like($log, qr/\[emerg\].*rtmp/, 'and told');
}

# nginx-rtmp-module beside ours

SKIP: {
    my $d = $t->testdir();
    my $peer = "$d/usr/lib/nginx/modules/ngx_rtmp_module.so";
    my ($have) = glob("$Test::Nginx::ROOT/objs/bench/peer"
        . '/usr/lib/nginx/modules/ngx_rtmp_module.so');

    $peer = $have if $have;

    system("cd $d && timeout 60 apt-get -qq download libnginx-mod-rtmp "
        . '>/dev/null 2>&1 && dpkg -x libnginx-mod-rtmp_*.deb .')
        unless -f $peer;
    skip 'libnginx-mod-rtmp is not to be had', 4 unless -f $peer;
    skip 'it is for another nginx', 4
        if (modules("load_module $peer;\n"))[0] != 0;

    for my $order (["load_module $peer;\n", $stream, $rtmp, $flv],
        [$stream, $rtmp, $flv, "load_module $peer;\n"])
    {
        ($status, $log) = modules(@$order);
        ok($status != 0, 'refused: ' . short(@$order));
        like($log, qr/\[emerg\].*nginx-rtmp-module can not be loaded/,
            'and told');
    }
}

# nginx -t makes nothing: it works where there is no room for an arena

$t->write_file_expand('nginx.conf', conf("media { zone 64m; }\n", ''));

SKIP: {
    skip 'sanitizers want descriptors', 1 if $t->has_module('sanitizer');

    is(system('bash', '-c', 'ulimit -n 60; exec "$@" >/dev/null 2>&1', 'bash',
        $Test::Nginx::NGINX, '-t', '-p', $t->testdir() . '/', '-c',
        'nginx.conf', '-e', 'stderr'), 0, 'nginx -t takes no descriptors');
}

###############################################################################

# which value counts: a second publisher is refused or takes over

$t->write_file_expand('nginx.conf', conf(<<'EOF_CONF', <<'EOF_HTTP'));

media {
    application first {
        publish_conflict reject;
    }

    vhost *.example.org {
        application d { publish_conflict replace; }
        publish_conflict reject;
    }

    vhost *.deep.example.org {
        publish_conflict replace;
    }

    vhost v.example.com {
        application c { publish_conflict reject; }
        application b { }
    }

    zone 64m;
    idle_timeout 1s;
    publish_conflict replace;

    application last {
    }
}

EOF_CONF
    proxy_cache_path cache keys_zone=one:1m;
EOF_HTTP

$t->run();

for my $case (
    [ '127.0.0.1', 'first', 'reject' ],
    [ '127.0.0.1', 'last', 'replace' ],
    [ '127.0.0.1', 'other', 'replace' ],
    [ 'not.configured', 'first', 'reject' ],
    [ 'v.example.com', 'b', 'replace' ],
    [ 'v.example.com', 'c', 'reject' ],
    [ 'V.Example.COM', 'c', 'reject' ],
    [ 'v.example.com', 'first', 'replace' ],
    [ 'x.example.org', 'd', 'replace' ],
    [ 'x.example.org', 'e', 'reject' ],
    [ 'y.x.example.org', 'e', 'reject' ],
    [ 'z.deep.example.org', 'e', 'replace' ],
    [ 'example.org', 'e', 'replace' ],
) {
    my ($host, $app, $want) = @$case;

    my $one = Test::RTMP->new(port(1935))->connect($app, host => $host);
    ok($one->publish('x'), "$host/$app: a publisher");

    my $two = Test::RTMP->new(port(1935))->connect($app, host => $host);
    my $status = $two->publish('x', expect => $want eq 'reject'
        ? 'NetStream.Publish.BadName' : 'NetStream.Publish.Start');

    ok($status, "$host/$app: $want");
    ok($one->closed(5), "$host/$app: the first one goes")
        if $want eq 'replace';

    $_->close() for $one, $two;
}

###############################################################################

# beside a cache manager; logs are reopened; another zone waits for a restart

my $clip = clip($t, 'clip', duration => 2);
my $publisher = encode($t, $clip, 'rtmp://127.0.0.1:' . port(1935)
    . '/live/x');

ok((grep { Test::Nginx::_title($_) =~ /cache manager/ }
    $t->_children($t->master())), 'the cache manager is there');
ok(wait_until(sub { live($t, 'x') }, 20), 'live');

my @players = (Test::Nginx::Player->flv('/live/x.flv'),
    Test::Nginx::Player->rtmp('live', 'x'));
plays('beside a cache manager');

my $d = $t->testdir();

rename "$d/error.log", "$d/error.log.old" or die;
kill 'USR1', $t->master();
ok(wait_until(sub { -f "$d/error.log" }), 'the log is opened anew');
plays('after that');

my $size = arena($t)->{size};

$t->write_file_expand('nginx.conf', conf("media { zone 128m; }\n", ''));
ok($t->reload(), 'reload with another zone');
like($t->read_file('error.log'), qr/\[warn\].*media zone keeps its size/,
    'is warned about');
plays('after that');

is(arena($t)->{size}, $size, 'the size is as before');
is($_->faults($clip), '', "player $_->{n} missed nothing") for @players;

players_drop();
$t->stop_daemons();
$t->stop();

is(join("\n", grep { /\[alert\]/ } split /\n/,
    $t->read_file('error.log.old')), '', 'no alerts before');

###############################################################################

# one process, without media{}

$t = Test::Nginx->new();

(my $conf = conf('', '')) =~ s/worker_processes \d+;/worker_processes 1;
master_process off;/;
$t->write_file_expand('nginx.conf', $conf);
$t->run();

$clip = clip($t, 'clip', duration => 2);
encode($t, $clip, 'rtmp://127.0.0.1:' . port(1935) . '/live/x');
ok(wait_until(sub { live($t, 'x') }, 20), 'one process: live');

@players = (Test::Nginx::Player->flv('/live/x.flv'),
    Test::Nginx::Player->rtmp('live', 'x'));
plays('in one process');
is($_->faults($clip), '', "player $_->{n} missed nothing") for @players;

players_drop();
$t->stop_daemons();

done_testing();

###############################################################################

sub conf {
    my ($main, $http) = @_;

    return <<"EOF_CONF";
%%TEST_GLOBALS%%
daemon off;
worker_processes 2;
events { }
$main
stream {
    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}
http {
    %%TEST_GLOBALS_HTTP%%
    $http
    server {
        listen 127.0.0.1:8080;
        location / { flv_live; }
        location /api/ { media_api; }
    }
}
EOF_CONF
}

# nginx -t, media{} beginning at line 7.

sub check {
    my ($main, $http) = @_;

    my $text = conf("LINE\n$main", $http || '');

    $text =~ s/%%TEST_GLOBALS%%/$t->test_globals()/e;
    my ($before) = $text =~ /^(.*?)LINE/s;
    my $lines = 6 - ($before =~ tr/\n//);

    if ($lines < 0) {
        $before =~ s/\n/ /g;
        $lines = 6;
    }

    $text =~ s/^.*?LINE\n/$before . "\n" x $lines/se;
    $t->write_file_expand('nginx.conf', $text);

    unlink $t->testdir() . '/test.log';

    return $t->test_config();
}

sub modules {
    my (@lines) = @_;

    $t->write_file('nginx.conf', join('', @lines) . 'pid ' . $t->testdir()
        . "/nginx.pid;\nevents { }\n");
    unlink $t->testdir() . '/test.log';

    return $t->test_config();
}

sub short {
    return join ' ', map { m!ngx_(\w+?)_module!; $1 } grep { /ngx/ } @_;
}

sub plays {
    my ($when) = @_;

    my %had = map { $_->{n} => $_->video() } @players;

    ok(play_until(sub {
        !grep { $_->video() < $had{$_->{n}} + 15 } @players;
    }), "it plays $when");
}

###############################################################################
