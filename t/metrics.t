#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Metrics for Prometheus: a strict parser of the text format reads them while
# streams with names of all kinds come and go, and values are those of the API.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

use IO::Uncompress::Gunzip qw/ gunzip /;
use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live gzip/);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    idle_timeout 1s;
    republish_wait 1s;
    vhost other.example.com { }
}

stream {
    server {
        listen %%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            flv_live;
        }

        location /api/ {
            media_api;
        }

        location /metrics {
            media_metrics;
        }

        location /gzip {
            gzip on;
            gzip_types text/plain;
            media_metrics;
        }
    }
}

EOF_CONF

###############################################################################

# what is refused

for my $bad ('media_metrics on', 'media_metrics; media_metrics',
    'media_api; media_metrics', 'media_metrics; media_api')
{
    $t->write_file_expand('bad.conf', <<"EOF_CONF");
%%TEST_GLOBALS%%
events { }
http {
    %%TEST_GLOBALS_HTTP%%
    server { listen 127.0.0.1:8080; location / { $bad; } }
}
EOF_CONF

    my ($status, $text) = $t->test_config('bad.conf');
    ok($status && $text =~ /\[emerg\].*media_(api|metrics).*bad\.conf:\d+/,
        "$bad: refused") or diag($text);
}

$t->run();

###############################################################################

# every family, its type and its labels

my %server = (
    srs_node_uname_info => 'gauge sysname,nodename,release,version,machine',
    srs_build_info => 'gauge'
        . ' server,service,pid,build_date,major,version,code',
    srs_cpu_percent => 'gauge',
    srs_memory => 'gauge',
    srs_send_bytes_total => 'counter',
    srs_receive_bytes_total => 'counter',
    srs_streams => 'gauge',
    srs_clients => 'gauge',
    srs_clients_total => 'counter',
    srs_clients_errs_total => 'counter',
    nginx_media_uptime_seconds => 'gauge',
    nginx_media_arena_size_bytes => 'gauge',
    nginx_media_arena_free_bytes => 'gauge',
    nginx_media_arena_sources => 'gauge',
    nginx_media_arena_recoveries_total => 'counter',
    nginx_media_hook_requests_total => 'counter',
    nginx_media_hook_failures_total => 'counter',
    nginx_media_hook_denied_total => 'counter',
    nginx_media_hook_cached_total => 'counter',
    nginx_media_hook_dropped_total => 'counter',
    nginx_media_uploads_total => 'counter result',
    nginx_media_upload_bytes_total => 'counter',
    nginx_media_upload_queue => 'gauge',
    nginx_media_events_total => 'counter',
    nginx_media_events_missed_total => 'counter',
    nginx_media_events_delivered_total => 'counter',
    nginx_media_events_undelivered_total => 'counter',
    nginx_media_relays => 'gauge way,state',
    nginx_media_relay_calls_total => 'counter',
    nginx_media_relay_failures_total => 'counter',
    nginx_media_workers => 'gauge',
    nginx_media_streams_omitted => 'gauge',
    map({ ("nginx_media_worker_$_" => 'gauge slot,pid') }
        qw/ cpu_ratio memory_bytes sessions /),
    map({ ("nginx_media_link_${_}_total" => 'counter protocol') }
        (map { "${_}_packets" } qw/ sent resent sent_lost sent_dropped received
            recovered lost dropped undecrypted /), qw/ nacks plis /),
    map({ ("nginx_media_link_$_" => 'gauge protocol') }
        qw/ sessions rtt_seconds rtt_max_seconds /),
);

my %stream = (
    map({ ("nginx_media_stream_$_" => 'gauge vhost,app,stream') }
        qw/ publishing clients skipped_frames fps gop_seconds gop_frames
            lag_seconds memory_bytes /),
    map({ ("nginx_media_stream_${_}_total" => 'counter vhost,app,stream') }
        qw/ receive_bytes send_bytes audio_frames video_frames dropped_frames
            timestamp_jumps publishes /),
    map({ ("nginx_media_hls_$_" => 'gauge vhost,app,stream') }
        qw/ memory_bytes target_seconds duration_seconds viewers
            parked_requests disk_behind_segments /),
    map({ ("nginx_media_hls_${_}_total" => 'counter vhost,app,stream') }
        qw/ segments parts forced_cuts dropped_parts disk_segments
            disk_failures disk_missing_segments /),
    nginx_media_record_active => 'gauge vhost,app,stream',
    map({ ("nginx_media_record_${_}_total" => 'counter vhost,app,stream') }
        qw/ bytes files lost_frames errors /),
);

my $m = metrics('nothing is published');

is_deeply([ sort keys %{$m->{type}} ], [ sort keys %server, keys %stream ],
    'families');
is_deeply(forms($m), \%server, 'types and labels');
is($m->{value}{srs_streams}, 0, 'no streams');
is($m->{value}{srs_clients}, 0, 'no clients');
is($m->{value}{nginx_media_workers}, scalar(() = $t->workers()), 'workers');

# the form of the answer

my $r = http_get('/metrics');
like($r, qr!^Content-Type: text/plain; version=0\.0\.4; charset=utf-8\r$!m,
    'type');
like($r, qr!^Cache-Control: no-store\r$!m, 'not cached');
my ($length) = $r =~ /^Content-Length: (\d+)\r$/m;
is($length, length http_content($r), 'length');

$r = http_head('/metrics');
is(http_status($r), 200, 'HEAD');
is(http_content($r), '', 'HEAD has no body');
is(http_status(http("GET /metrics HTTP/1.0\r\n\r\n")), 200, 'HTTP/1.0');
is(http_status(http_get('/metrics?x=1')), 200, 'arguments do not matter');

is(http_status(http_post('/metrics', 'x', method => $_)), 405, $_)
    for qw/ POST PUT DELETE /;

###############################################################################

# streams with names of all kinds

my %names = (
    'plain' => 'plain',
    'a"b' => 'a\"b',
    'a b c={}' => 'a b c={}',
    "caf\xc3\xa9 \xe6\x97\xa5" => "caf\xc3\xa9 \xe6\x97\xa5",
    "bad\xff\xc3" => 'bad\\\\xff\\\\xc3',
    "over\xc0\xaf" => 'over\\\\xc0\\\\xaf',
    'x' x 200 => 'x' x 200,
);

my @publishers;

for my $name (sort keys %names) {
    my $p = Test::RTMP->new(port(1935))->connect('live');
    $p->publish($name);
    $p->video(0, Test::RTMP::avc_config());
    $p->video(0, Test::RTMP::avc_key(1));
    $p->video(40 * $_, Test::RTMP::avc_inter(2)) for 1 .. 9;
    $p->audio(0, Test::RTMP::aac_config());
    $p->audio(23, Test::RTMP::aac_frame(1));
    push @publishers, $p;
}

my $live = sub {
    my $m = eval { parse(http_content(http_get('/metrics'))) };
    return $m && ($m->{value}{srs_streams} || 0) == keys %names
        && !grep({ $m->{value}{series('video_frames_total', $_)} != 10
            || $m->{value}{series('audio_frames_total', $_)} != 1 }
            values %names);
};

ok(wait_until(sub { $live->() }, 10), 'published');

$m = metrics('streams');

is_deeply(forms($m), { %server, %stream }, 'types and labels with streams');

for my $name (sort keys %names) {
    (my $shown = $name) =~ s/[^\x20-\x7e]/?/g;
    $shown = substr($shown, 0, 20);

    my $s = sub { $m->{value}{series($_[0], $names{$name})} };

    is($s->('publishing'), 1, "$shown: publishing");
    is($s->('clients'), 1, "$shown: clients");
    is($s->('video_frames_total'), 10, "$shown: video frames");
    ok($s->('receive_bytes_total') > 0, "$shown: bytes");
}

is($m->{value}{srs_streams}, scalar keys %names, 'streams');
is($m->{value}{srs_clients}, scalar keys %names, 'clients');
is($m->{value}{srs_clients_total}, scalar keys %names, 'clients ever');
ok($m->{value}{srs_receive_bytes_total} > 0, 'bytes');
is($m->{value}{nginx_media_streams_omitted}, 0, 'no stream is left out');

my $sessions = 0;
$sessions += $m->{value}{$_}
    for grep { /^nginx_media_worker_sessions/ } keys %{$m->{value}};
is($sessions, scalar keys %names, 'sessions of workers')
    if wait_sessions(scalar keys %names);

# a second publisher of a name is refused, a player of none as well

is($m->{value}{srs_clients_errs_total}, 0, 'no errors');

my $second = Test::RTMP->new(port(1935))->connect('live');
$second->publish('plain', expect => 'NetStream.Publish.BadName');
$second->close();
is(http_status(http_get('/live/none.flv')), 404, 'no such stream');

ok(wait_until(sub {
    parse(http_content(http_get('/metrics')))
        ->{value}{srs_clients_errs_total} == 2;
}, 10), 'errors');

# players

my @players = map { http_start("GET /live/plain.flv HTTP/1.0\r\n\r\n") }
    1 .. 3;

ok(wait_until(sub {
    parse(http_content(http_get('/metrics')))
        ->{value}{series('clients', 'plain')} == 4;
}, 10), 'players');

$m = metrics('players');
is($m->{value}{srs_clients}, keys(%names) + 3, 'clients with players');

# the same as the API tells

my ($s) = grep { $_->{name} eq 'plain' }
    @{$t->api_get('/api/v1/streams/?count=100')->{streams}};
$m = metrics('compared');
is($m->{value}{series('clients', 'plain')}, $s->{clients}, 'API, clients');
is($m->{value}{series('receive_bytes_total', 'plain')}, $s->{recv_bytes},
    'API, bytes');
is($m->{value}{series('memory_bytes', 'plain')}, $s->{memory}{bytes},
    'API, memory');

# gzip

my $z = http_content(http("GET /gzip HTTP/1.1\r\nHost: localhost\r\n"
    . "Accept-Encoding: gzip\r\nConnection: close\r\n\r\n"));
my $text;
ok(gunzip(\$z => \$text) && eval { parse($text) }, 'gzip');

# they come and go; whatever is read at any moment is well formed

my $faults = 0;

for my $i (1 .. 40) {
    (shift @publishers)->close() if @publishers && $i % 5 == 0;

    if ($i % 3 == 0) {
        my $p = Test::RTMP->new(port(1935))->connect('live');
        $p->publish("again$i");
        $p->video(0, Test::RTMP::avc_config());
        $p->video(0, Test::RTMP::avc_key(1));
        push @publishers, $p;
    }

    $faults++ unless eval { parse(http_content(http_get('/metrics'))) };
    sleep 0.05;
}

is($faults, 0, 'well formed at any moment');

$_->close() for @publishers;
undef @players;

ok(wait_until(sub {
    my $m = parse(http_content(http_get('/metrics')));
    return !grep { /^nginx_media_stream_/ } keys %{$m->{value}};
}, 20), 'streams are gone');

$m = metrics('all are gone');
is($m->{value}{srs_streams}, 0, 'no streams any more');
is($m->{value}{srs_clients}, 0, 'no clients any more');
ok($m->{value}{srs_clients_total} > 10, 'clients that have come');
is($m->{value}{srs_clients_errs_total}, 2, 'errors, no more of them');
is($m->{value}{nginx_media_arena_free_bytes},
    $m->{value}{nginx_media_arena_size_bytes}, 'memory is back');

###############################################################################

done_testing();

###############################################################################

sub series {
    my ($name, $stream) = @_;
    return "nginx_media_stream_$name\{vhost=\"__defaultVhost__\","
        . "app=\"live\",stream=\"$stream\"}";
}

sub wait_sessions {
    my ($n) = @_;

    return wait_until(sub {
        $m = parse(http_content(http_get('/metrics')));
        $sessions = 0;
        $sessions += $m->{value}{$_}
            for grep { /^nginx_media_worker_sessions/ } keys %{$m->{value}};
        return $sessions == $n;
    }, 10);
}

sub metrics {
    my ($what) = @_;

    my $m = eval { parse(http_content(http_get('/metrics'))) };
    ok($m, "$what: well formed") or diag($@);

    return $m || { type => {}, value => {}, labels => {} };
}

# family => "type labels", of those that have values

sub forms {
    my ($m) = @_;
    return { map { $_ => join ' ', $m->{type}{$_}, $m->{labels}{$_} || () }
        keys %{$m->{labels}} };
}

# The text format 0.0.4, as strictly as it can be read: dies at a fault.

sub parse {
    my ($text) = @_;

    my %m = (type => {}, value => {}, labels => {});
    my (%help, $family, $begun);

    my $copy = $text;
    utf8::decode($copy) or die "not UTF-8\n";
    $text =~ /\n\z/ or die "no line feed at the end\n";
    $text !~ /\r/ or die "carriage return\n";

    for my $line (split /\n/, $text) {

        if ($line =~ /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)$/) {
            my ($name, $words) = ($1, $2);
            die "HELP twice: $name\n" if $help{$name}++;
            die "HELP escapes: $words\n" if $words =~ /\\(?![\\n])/;
            ($family, $begun) = ($name, 0);
            next;
        }

        if ($line =~ /^# TYPE (\S+) (counter|gauge)$/) {
            my ($name, $type) = ($1, $2);
            die "TYPE twice: $name\n" if $m{type}{$name};
            die "TYPE not behind HELP: $name\n"
                if ($family // '') ne $name || $begun;
            die "counters end in _total, others not: $name\n"
                if ($name =~ /_total$/ ? 1 : 0) != ($type eq 'counter');
            $m{type}{$name} = $type;
            $begun = 1;
            next;
        }

        $line =~ /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)$/
            or die "no sample: $line\n";

        my ($name, $labels, $value) = ($1, $2, $3);

        die "not of its family: $name\n" if $name ne ($family // '')
            || !$begun;
        die "no float: $value\n"
            if $value !~ /^[+-]?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Inf)$|^NaN$/;
        die "negative: $line\n" if $value < 0;

        my $form = labels($labels // '');
        die "labels differ: $line\n"
            if defined $m{labels}{$name} && $m{labels}{$name} ne $form;
        $m{labels}{$name} = $form;

        my $series = $name . ($labels // '');
        die "series twice: $series\n" if exists $m{value}{$series};
        $m{value}{$series} = $value;
    }

    die "HELP without TYPE\n" if keys %help != keys %{$m{type}};

    return \%m;
}

sub labels {
    my ($text) = @_;

    return '' if $text eq '';

    my (%seen, @names);

    $text =~ s/^\{// && $text =~ s/\}$// or die "braces: $text\n";

    pos($text) = 0;

    while ($text =~ /\G([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/gc) {
        my $name = $1;
        die "label twice: $name\n" if $seen{$name}++;
        die "reserved label: $name\n" if $name =~ /^__/;
        push @names, $name;
        $text =~ /\G,/gc or last;
    }

    $text =~ /\G\z/gc or die "labels: $text\n";

    return join ',', @names;
}

###############################################################################
