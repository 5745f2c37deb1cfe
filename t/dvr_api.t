#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings in the HTTP API: listed, shown and deleted, while they are written
# and when they are whole; switched on and off, also where nothing is published
# and over a kill of everything; every code of an error.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

use JSON::PP;
use Time::HiRes qw/ time sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp/);

my $dir = $t->testdir();

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;

worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    dvr_gap 0;

    application rec {
        dvr on;
        dvr_path $dir/rec/[app]/[stream].[timestamp].flv;
    }

    application more {
        dvr_path $dir/more/[stream]/[timestamp].ts;
    }

    application gap {
        dvr on;
        dvr_gap 30s;
        dvr_path $dir/gap/[stream].mp4;
    }

    application none {
    }

    vhost v.example {
        application rec {
            dvr on;
            dvr_path $dir/rec/v/[stream].[timestamp].mp4;
        }
    }
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

        location /api/ {
            media_api write;
        }
    }

    server {
        listen       127.0.0.1:8081;
        server_name  localhost;

        location /api/ {
            media_api;
        }
    }
}

EOF_CONF

$t->run();

my $list = '/api/v1/recordings/';
my $none = '0000000000000000';

###############################################################################

# nothing is there

my ($r, $status) = $t->api_get($list);

is($status, 200, 'list');
is_deeply([ @$r{qw/ code recordings total /} ], [ 0, [], 0 ], 'empty');
like($r->{server}, qr/^vid-/, 'as other answers begin');

is(raw($list . $none), '{"code":2050}', 'no such recording');
is(raw($list . 'x' x 16), '{"code":2050}', 'no id');
is(raw($list . 'a%2f..%2f' . $none . '/x'), '{"code":2050}', 'no path');
is(raw($list . 'a' x 3000), '{"code":2050}', 'no long id');
is(raw("${list}?from=x"), '{"code":1064}', 'from');
is(raw("${list}?to=-1"), '{"code":1064}', 'to');
is(raw("${list}?to=9999999999999999"), '{"code":1064}', 'to, too large');
is(raw("${list}?stream=%zz"), '{"code":1064}', 'a damaged name');
is(raw("${list}?start=1000001"), '{"code":1064}', 'too far');
is(raw("${list}?start=1000000"), raw("${list}?start=-1&count=x&from=&to="),
    'what is no number counts as none');
like(raw("${list}?callback=f"), qr/^f\(\{"code":0,.*"total":0\}\)$/, 'JSONP');
is(raw("$list$none?callback=f"), 'f({"code":2050})', 'JSONP of an error');
like(http_head($list), qr/^HTTP\/1.1 200 .*Content-Length: \d+\r\n.*\r\n\r\n\z/s,
    'HEAD');

is(change('DELETE', $list . $none), '{"code":2050}', 'nothing to be deleted');
is(change('DELETE', $list . 'x'), '{"code":2050}', 'no id is deleted');
is(method('DELETE', $list), 405, 'the list is not deleted');
is(method('PUT', $list . $none), 405, 'PUT');
is(method('POST', $list), 405, 'POST without an action');
is(method('POST', "${list}?action=x"), 400, 'no such action');
is(method('POST', "$list$none?action=record&switch=on"), 405,
    'POST of a recording');
like(http_post($list, '', method => 'PUT'),
    qr/Allow: GET, HEAD, POST, DELETE, OPTIONS\r\n/, 'Allow');

# switches: what is refused

my $on = "${list}?action=record&switch=on";

is(change('POST', "$on&app=none&stream=x"), '{"code":2052}', 'no dvr_path');
is(change('POST', "$on&app=nowhere&stream=x"), '{"code":2052}', 'no such app');
is(change('POST', "$on&app=rec"), '{"code":1064}', 'no stream');
is(change('POST', "$on&stream=x"), '{"code":1064}', 'no app');
is(change('POST', "$on&app=rec&stream=a%2fb"), '{"code":1064}', 'no name');
is(change('POST', "$on&app=..&stream=a"), '{"code":1064}', 'no app of dots');
is(change('POST', "$on&app=rec&stream=" . 'a' x 300), '{"code":1064}',
    'a long name');
is(change('POST', "$on&app=rec&stream=%00"), '{"code":1064}', 'control');
is(change('POST', "${list}?action=record&app=rec&stream=x"), '{"code":1064}',
    'no switch');
is(change('POST', "${list}?action=record&switch=yes&app=rec&stream=x"),
    '{"code":1064}', 'no such switch');
is(change('POST', '/api/v1/streams/vid-0000000?action=record&switch=on'),
    '{"code":2048}', 'no such stream');
is(change('POST', "${list}?action=record&switch=auto&app=none&stream=x"),
    'ok', 'what is not switched is switched back');

for my $case ([ 'POST', "$on&app=rec&stream=x", 'switch' ],
    [ 'DELETE', $list . $none, 'delete' ])
{
    is(http_content(http("$case->[0] $case->[1] HTTP/1.0\r\nHost: localhost\r\n"
        . "Origin: http://other.example\r\n\r\n")), '{"code":1061}',
        "$case->[2]: not from another site");
    is(change($case->[0], "$case->[1]" . ($case->[1] =~ /\?/ ? '&' : '?')
        . 'callback=f'), 'f({"code":1061})', "$case->[2]: not by JSONP");
}

is(http_content(http_post("$on&app=rec&stream=x", '', port => 8081)),
    '{"code":1061}', 'switch: not without write');
is(http_content(http("DELETE $list$none HTTP/1.0\r\nHost: localhost\r\n"
    . "X-Forwarded-For: 192.0.2.1\r\n\r\n", port => 8081)),
    '{"code":1061}', 'delete: not from elsewhere');
is(http_content(http_post($list . $none, '', method => 'DELETE',
    port => 8081)), '{"code":2050}', 'delete: by this machine');

###############################################################################

# one that is being written

my $begun = int(time() * 1000);
my $pub = encoder('rec', 'one');

ok(wait_until(sub { frames($pub, 5); ($r) = recs(); $r && $r->{bytes} }, 10),
    'listed');

is($r->{state}, 'recording', 'state');
like($r->{id}, qr/^[0-9a-f]{16}$/, 'id');
is_deeply([ @$r{qw/ vhost app stream format upload /} ],
    [ qw/ __defaultVhost__ rec one flv none / ], 'what it is');
like($r->{file}, qr/^rec\/one\.\d+\.flv$/, 'file');
ok(-f "$dir/rec/$r->{file}", 'which is there');
is($r->{url}, "/rec/one.rec.$r->{id}.flv", 'url');
ok($r->{begin} >= $begun - 2000 && $r->{begin} <= time() * 1000 + 2000,
    'begin');
is($r->{end}, $r->{begin} + $r->{duration}, 'end');

my $id = $r->{id};

is($t->api_get("$list$id")->{recording}{state}, 'recording', 'shown');
is(change('DELETE', "$list$id"), '{"code":2051}', 'not deleted while written');

my ($s) = @{$t->api_get('/api/v1/streams/')->{streams}};

$s = $t->api_get("/api/v1/streams/$s->{id}")->{stream};

is_deeply([ @{$s->{record}}{qw/ switch active id file lost /} ],
    [ 'auto', JSON::PP::true(), $id, $r->{file}, 0 ], 'of its stream');
ok(exists $s->{record}{duration} && $s->{record}{bytes} > 0, 'and how much');

# and whole

$pub->close();

ok(wait_until(sub { ($r) = recs(); $r && $r->{state} eq 'complete' }, 10),
    'complete');
is($r->{id}, $id, 'the same');
is($r->{bytes}, -s "$dir/rec/$r->{file}", 'bytes');
is(total(), 1, 'once');
is_deeply($t->api_get("$list$id")->{recording}, $r, 'shown as it is listed');

for my $q ('app=rec', 'stream=one', 'app=rec&stream=one&vhost=__defaultVhost__',
    'vhost=__defaultVhost__', "from=$r->{end}", "to=$r->{begin}",
    "from=$r->{begin}&to=$r->{end}")
{
    is(total($q), 1, "found by $q");
}

for my $q ('app=re', 'stream=on', 'vhost=v.example', 'app=rec&stream=two',
    'app=rec&stream=one&vhost=v.example', 'from=' . ($r->{end} + 1),
    'to=' . ($r->{begin} - 1))
{
    is(total($q), 0, "not found by $q");
}

unlink "$dir/rec/$r->{file}";
is(recs()->{state}, 'broken', 'its file was deleted by hand');
is($t->api_get("$list$id")->{recording}{state}, 'broken', 'shown so');
is(change('DELETE', "$list$id"), 'ok', 'deleted');
is(total(), 0, 'gone');
is(change('DELETE', "$list$id"), '{"code":2050}', 'once');

###############################################################################

# a switch for what is not published yet, in an application that does not
# record

is(change('POST', "$on&app=more&stream=a+b%25%c3%a9"), 'ok', 'switched on');

my $name = "a b%\xc3\xa9";
$pub = encoder('more', $name);

ok(wait_until(sub { frames($pub, 5); ($r) = recs('app=more') }, 10),
    'is recorded');
is($r->{url}, "/more/a%20b%25%C3%A9.rec.$r->{id}.ts", 'its url is escaped');
is(total('stream=a+b%25%c3%a9'), 1, 'found by its name');

($s) = grep { $_->{app} eq 'more' } @{$t->api_get('/api/v1/streams/')
    ->{streams}};
is($s->{record}{switch}, 'on', 'told');

# off while it is recorded

is(change('POST', "/api/v1/streams/$s->{id}?action=record&switch=off"), 'ok',
    'switched off');
ok(wait_until(sub { frames($pub, 1);
    ($r) = recs('app=more'); $r && $r->{state} eq 'complete' }, 10), 'ends');
is(stream('more')->{record}{active}, JSON::PP::false(), 'not recorded');
is(total('app=more'), 1, 'one file');

# and on again: another file

is(change('POST', "/api/v1/streams/$s->{id}?action=record&switch=on"), 'ok',
    'switched on again');
ok(wait_until(sub { frames($pub, 5); total('app=more') == 2 }, 10),
    'another file');

is(change('POST', "/api/v1/streams/$s->{id}?action=record&switch=auto"), 'ok',
    'switched back');
ok(wait_until(sub { frames($pub, 1);
    !grep { $_->{state} ne 'complete' } recs('app=more') }, 10),
    'as its policy says');

$pub->close();

my @more = recs('app=more');
ok($more[0]{begin} >= $more[1]{begin}, 'newest first');

is(change('DELETE', "$list$_->{id}"), 'ok', 'deleted') for @more;
ok(!-e "$dir/more/$name", 'with its directory');
ok(-d "$dir/more", 'but not the root');

# of a publisher who may come back

$pub = encoder('gap', 'away');
ok(wait_until(sub { frames($pub, 5); ($r) = recs('app=gap'); $r && $r->{bytes} },
    10), 'one that may come back');
$pub->close();

ok(wait_until(sub { $s = $t->api_get("/api/v1/streams/?count=100");
    !grep { $_->{app} eq 'gap' && $_->{record}{active} } @{$s->{streams}} }, 5),
    'is away');
is(join(' ', map { "$_->{id} $_->{state} $_->{file}" } recs('app=gap')),
    "$r->{id} recording away.mp4", 'its recording is not over');
is($t->api_get("$list$r->{id}")->{recording}{state}, 'recording', 'nor shown so');
is(change('DELETE', "$list$r->{id}"), '{"code":2051}', 'nor deleted');

# off where the policy says on, of another vhost

is(change('POST', "${list}?action=record&switch=off&vhost=v.example&app=rec"
    . '&stream=x'), 'ok', 'switched off');
$pub = encoder('rec', 'x', 'v.example');
frames($pub, 50);
sleep 1;
frames($pub, 50);
is(total('vhost=v.example'), 0, 'not recorded');
is(stream('rec')->{record}{switch}, 'off', 'told');

###############################################################################

# switches survive

is(change('POST', "$on&app=more&stream=kept"), 'ok', 'one more');

my $text = $t->read_file('more/.dvr/switches');

is_deeply(decode_json($text)->{switches}, [ { vhost => '__defaultVhost__',
    app => 'more', stream => 'kept', switch => 'on' } ], 'file');
is_deeply(decode_json($t->read_file('rec/v/.dvr/switches'))->{switches},
    [ { vhost => 'v.example', app => 'rec', stream => 'x',
    switch => 'off' } ], 'file of the other root');

$pub->close();
crash($t);
$t->run();

$pub = encoder('more', 'kept');
ok(wait_until(sub { frames($pub, 5); total('app=more') == 1 }, 10),
    'switched on after a kill');
$pub->close();

$pub = encoder('rec', 'x', 'v.example');
frames($pub, 20);
sleep 0.7;
is(total('vhost=v.example'), 0, 'switched off after a kill');
$pub->close();

# many at once: all of them are in the file when they were answered

my @at = map { http_start("POST $on&app=more&stream=s$_ HTTP/1.0\r\n"
    . "Host: localhost\r\n\r\n") } 1 .. 60;
my @codes = map { (http_content(http_end($_)) =~ /"code":(\d+)/)[0] } @at;

is(join(' ', @codes), join(' ', (0) x 60), 'many switches');
is(scalar @{decode_json($t->read_file('more/.dvr/switches'))->{switches}}, 61,
    'all are on disk');

for my $n (61 .. 260) {
    last if change('POST', "$on&app=more&stream=s$n") ne 'ok';
    $codes[0] = $n;
}

is($codes[0], 254, 'there are no more than 256');
is(change('POST', "$on&app=more&stream=s300"), '{"code":2054}', 'no room');
is(change('POST', "${list}?action=record&switch=off&app=more&stream=s7"),
    'ok', 'but for what is there');
is(change('POST', "${list}?action=record&switch=auto&app=more&stream=s7"),
    'ok', 'which makes room');
is(change('POST', "$on&app=more&stream=s300"), 'ok', 'for another one');

# a client that does not wait for the answer

for (1 .. 20) {
    my $s = http_start("POST $on&app=more&stream=s$_ HTTP/1.1\r\n"
        . "Host: localhost\r\n\r\n");
    close $s;
    $s = http_start("GET $list HTTP/1.1\r\nHost: localhost\r\n\r\n");
    close $s;
}

is($t->api_get($list)->{code}, 0, 'clients went');

# a file that can not be written is told; the switch holds

SKIP: {
    skip 'root may write everywhere', 1 if 0;

    rename "$dir/more/.dvr", "$dir/more/away";
    symlink '/nowhere', "$dir/more/.dvr";

    is(change('POST', "${list}?action=record&switch=off&app=more&stream=s1"),
        '{"code":2053}', 'the disk says no');

    unlink "$dir/more/.dvr";
    rename "$dir/more/away", "$dir/more/.dvr";
}

is(change('POST', "${list}?action=record&switch=off&app=more&stream=s2"),
    'ok', 'and yes again');

my %kept = map { $_->{stream} => $_->{switch} }
    @{decode_json($t->read_file('more/.dvr/switches'))->{switches}};

is("$kept{s1} $kept{s2}", 'off off', 'with what it missed');

# files that are damaged

for my $bad ('', 'x', '{}', '{"switches":1}', '{"switches":[1,{},[]]}',
    '{"switches":[{"vhost":"v","app":"a","stream":"../x","switch":"on"}]}',
    '{"switches":[{"vhost":"v","app":"a","stream":"x","switch":7}]}',
    '{"switches":[' . '[' x 5000, "\0" x 4096)
{
    $t->stop();
    $t->write_file('more/.dvr/switches', $bad);
    $t->run();
    is($t->api_get($list)->{code}, 0, 'starts with a damaged file');
    last if $ENV{TEST_NGINX_BINARY} && $bad =~ /vhost/;
}

like($t->read_file('error.log'), qr/switches" is damaged/, 'which is told');

done_testing();

###############################################################################

sub raw {
    my ($uri) = @_;
    my $text = http_content(http_get($uri));
    return $text;
}

sub change {
    my ($method, $uri) = @_;

    my $text = http_content(http_post($uri, '', method => $method));
    return $text =~ /^\{"code":0,"server"/ ? 'ok' : $text;
}

sub method {
    my ($method, $uri) = @_;
    return http_status(http_post($uri, '', method => $method));
}

sub recs {
    my ($query) = @_;

    my $r = $t->api_get($list . ($query ? "?$query" : ''));
    my @r = @{$r->{recordings}};

    return wantarray ? @r : $r[0];
}

sub total {
    my ($query) = @_;
    return $t->api_get($list . ($query ? "?$query" : ''))->{total};
}

sub stream {
    my ($app) = @_;

    my ($s) = grep { $_->{app} eq $app && $_->{publish}{active} }
        @{$t->api_get('/api/v1/streams/?count=100')->{streams}};
    return $s;
}

sub encoder {
    my ($app, $name, $vhost) = @_;

    my $s = Test::RTMP->new(port(1935));

    $s->connect($vhost ? "$app?vhost=$vhost" : $app);
    $s->publish($name);
    $s->video(0, Test::RTMP::avc_config());
    $s->{at} = 0;

    return $s;
}

# the time of the frames is that of the clock

sub frames {
    my ($s, $n) = @_;

    for (1 .. $n) {
        my $ts = $s->{at}++ * 40;
        $s->video($ts, $s->{at} % 5 == 1 ? Test::RTMP::avc_key($s->{at})
            : Test::RTMP::avc_inter($s->{at}));
    }

    sleep 0.1;
}

sub crash {
    my ($t) = @_;

    my @all = ($t->master(), $t->workers());

    $t->{_killed}{$_} = 1 for @all;
    kill 'KILL', @all;

    wait_until(sub { !grep { kill 0, $_ } @all[1 .. $#all] }, 5);
    waitpid($all[0], 0);
    unlink "$dir/nginx.pid";
    delete $t->{_master};
}

###############################################################################
