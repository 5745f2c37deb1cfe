#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# SRT's listener: stream ids of all forms and what back ends, rules and logs see
# of them, the codes that callers are refused with, options that apply, and
# answers from the address that was called.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Hook;
use Test::Nginx::SRTPeer;

use IO::Handle;
use IO::Socket::IP;
use POSIX qw/ _exit /;
use Time::HiRes qw/ time sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream srt/)->has_daemon('ffmpeg')
    ->has_daemon('srt-live-transmit')->log_level('debug_stream');

my $v6 = defined IO::Socket::IP->new(Proto => 'udp', LocalHost => '::1');
my $listen6 = $v6 ? 'server { listen [::]:%%PORT_10084_UDP%% udp reuseport '
    . 'ipv6only=off; srt { } } server { listen [::1]:%%PORT_10085_UDP%% udp '
    . 'reuseport; srt { } }' : '';

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;

worker_processes 4;

events {
}

media {
    zone 64m;
    republish_wait 1s;
    idle_timeout 1s;
    publish_timeout 60s 60s;

    application open { }

    application hooked {
        on_connect http://127.0.0.1:8085/connect;
        on_publish http://127.0.0.1:8085/publish;
        on_play http://127.0.0.1:8085/play;
        on_close http://127.0.0.1:8085/close;
    }

    application closed { deny all all; }
    application few { max_players 1; }
    application signed { media_jwt hs256 0123456789abcdef0123456789abcdef; }

    vhost show.example.com { }
}

stream {
    map $media_app/$media_stream $secret {
        default         "";
        live/secret     "a long secret";
        live/other      "another long secret";
        live/broken     "short";
    }

    log_format srt '$remote_addr $server_addr:$server_port $status '
                   '$media_protocol $media_vhost/$media_app/$media_stream '
                   '$media_args $media_arg_u';

    access_log %%TESTDIR%%/srt.log srt;

    # all addresses

    server { listen %%PORT_10080_UDP%% udp reuseport; srt { } }

    # other defaults and options

    server {
        listen 127.0.0.1:%%PORT_10081_UDP%% udp reuseport;

        srt {
            latency 321ms;
            mss 1400;
            maxbw 2m;
            sendbuf 1m;
            recvbuf 64m;
            tlpktdrop off;
            idle_timeout 1s;
            default_app other;
            default_mode publish;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_10082_UDP%% udp reuseport;
        srt { passphrase $secret; pbkeylen 24; maxbw 0; idle_timeout 1s; }
    }

    server {
        listen 127.0.0.1:%%PORT_10083_UDP%% udp reuseport;
        deny 127.0.0.1;
        srt { }
    }

    server {
        listen 127.0.0.1:%%PORT_10086_UDP%% udp reuseport;
        srt { idle_timeout 5s; }
    }

    %%LISTEN6%%
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location / { media_api write; }
    }
}

EOF_CONF

$conf =~ s/%%LISTEN6%%/$listen6/;
$t->write_file_expand('nginx.conf', $conf);
$t->run();

my $hook = Test::Nginx::Hook->new($t, port(8085));
my $ts = ts();

###############################################################################

# stream ids: what is published, and where

my @ids = (
    [ '#!::r=live/a1,m=publish' => 'live/a1' ],
    [ '#!::h=live/a2,m=publish' => 'live/a2' ],
    [ '#!::h=show.example.com/live/a3,m=publish'
        => 'show.example.com/live/a3' ],
    [ '#!::h=show.example.com,r=live/a4,m=publish,u=me,s=7'
        => 'show.example.com/live/a4' ],
    [ '#!::r=live/deep/a5?token=x,m=publish' => 'live/deep/a5' ],
    [ '#!{r=live/a6,m=publish,t=stream}' => 'live/a6' ],
    [ 'publish:live/a7:me:pass?token=x' => 'live/a7' ],
    [ 'srt://show.example.com:10080/live/a8', 'show.example.com/live/a8',
        10081 ],
    [ 'live/a9?token=x', 'live/a9', 10081 ],
    [ 'a10', 'other/a10', 10081 ],
);

my (@peers, @wrong);

for my $id (@ids) {
    my $p = call($id->[0], port => $id->[2]);
    push @wrong, "$id->[0]: " . ($p->{code} // 'none') if ($p->{code} // 1);
    push @peers, $p;
}

is("@wrong", '', 'publishers by all forms');

$_->send($ts) for @peers;

my %live;
my %vhosts = map { $_->{id} => "$_->{name}/" } grep { $_->{name} =~ /\./ }
    @{$t->api_get('/api/v1/vhosts/')->{vhosts}};

wait_until(sub {
    $_->serve(0.01) for @peers;
    %live = map { ($vhosts{$_->{vhost}} // '') . "$_->{app}/$_->{name}" => $_ }
        grep { $_->{publish}{active} }
        @{$t->api_get('/api/v1/streams/?count=100')->{streams}};
    return @ids == keys %live;
}, 5);

is(join(' ', sort keys %live), join(' ', sort map { $_->[1] } @ids),
    'where they are');

my %clients = map { $_->{name} => $_ }
    @{$t->api_get('/api/v1/clients/?count=100')->{clients}};

is($clients{a1}{type}, 'srt-publish', 'type');
is($clients{a1}{ip}, '127.0.0.1', 'address');
is($clients{a3}{tcUrl}, 'srt://show.example.com:' . port(10080) . '/live',
    'tcUrl with its vhost');
is($clients{a1}{tcUrl}, 'srt://127.0.0.1:' . port(10080) . '/live', 'tcUrl');

# players

@wrong = ();

for my $id ('#!::r=live/a1,m=request', '#!::r=live/a1', 'live/a1',
    'read:live/a1', '#!::h=show.example.com/live/a3,m=play',
    'srt%3A%2F%2Fshow.example.com%2Flive%2Fa4')
{
    my $p = call($id);
    push @wrong, "$id: " . ($p->{code} // 'none') if $p->{code} // 1;

    # some more of the clip, which begins with a keyframe

    for (1 .. 20) {
        last if $p->{received};
        $_->send($ts) for @peers[0, 2, 3];
        $_->serve(0.01) for @peers;
        $p->serve(0.1);
    }

    push @wrong, "$id: nothing" unless $p->{received};
    $p->close();
}

is("@wrong", '', 'players by all forms');

###############################################################################

# refusals

my @codes = (
    [ 1400, 'no name', '' ],
    [ 1400, 'a name that is none', '#!::r=live/..,m=publish' ],
    [ 1400, 'control bytes', "live/a\x01" ],
    [ 1400, 'braces', '#!{r=live/x,m=publish,t={a}' ],
    [ 1405, 'a mode that is none', '#!::r=live/x,m=both' ],
    [ 1405, 'both directions', '#!::r=live/x,m=bidirectional' ],
    [ 1415, 'files', '#!::r=live/x,m=publish,t=file' ],
    [ 1404, 'nobody publishes', '#!::r=live/nobody,m=request' ],
    [ 1409, 'somebody publishes', '#!::r=live/a1,m=publish' ],
    [ 1403, 'a rule', '#!::r=closed/x,m=publish' ],
    [ 1403, 'a rule for players', '#!::r=closed/x,m=request' ],
    [ 1403, 'no token', '#!::r=signed/x,m=publish' ],
    [ 1403, 'a phase of stream{}', '#!::r=live/x,m=publish', port => 10083 ],
    [ 1500, 'a broken passphrase', '#!::r=live/broken,m=publish',
        port => 10082 ],
);

for my $try (@codes) {
    my ($code, $name, $id, %o) = @$try;
    is(call($id, %o)->{code}, $code, "$code: $name");
}

# limits

my $few = call('#!::r=few/x,m=publish');
my $one = call('#!::r=few/x,m=request');
is($one->{code}, 0, 'one player');
is(call('#!::r=few/x,m=request')->{code}, 1402, '1402: one too many');
$_->close() for $few, $one;

###############################################################################

# what back ends are told and say

$hook->answer('/publish', status => 200, body => '{"code":0}', delay => 0.5);
my $p = call('#!::h=show.example.com,r=hooked/x,m=publish,u=me,token=t1');
is($p->{code}, 0, 'not the vhost with hooks');
$p->close();

$p = call('#!::r=hooked/x,m=publish,u=me,token=t1');
is($p->{code}, 0, 'allowed, after a while');

my ($told) = $hook->requests('/publish');

is($told->{json}{tcUrl}, 'srt://127.0.0.1:' . port(10080) . '/hooked',
    'hook: tcUrl');
is($told->{json}{param}, '?u=me&token=t1', 'hook: param');
is("$told->{json}{app}/$told->{json}{stream}", 'hooked/x', 'hook: names');
is($told->{json}{ip}, '127.0.0.1', 'hook: ip');
is(($hook->requests('/connect'))[0]{json}{stream}, 'x', 'hook: on_connect');

$hook->answer('/play', status => 403, body => '1');
is(call('#!::r=hooked/x,m=request')->{code}, 1403, '1403: a hook');
$hook->answer('/play', status => 200, body => '0');
my $q = call('#!::r=hooked/x,m=request');
is($q->{code}, 0, 'a player');

# kick: it is told

my ($client) = grep { $_->{name} eq 'x' && $_->{type} eq 'srt-publish' }
    @{$t->api_get('/api/v1/clients/?count=100')->{clients}};

$t->api_request('DELETE', "/api/v1/clients/$client->{id}");
$p->serve(3);
ok($p->{closed}, 'kicked');
$q->serve(4);
ok($q->{closed}, 'a player ends with its source');

ok(wait_until(sub { $hook->requests('/close') >= 2 }, 5), 'hook: on_close');

###############################################################################

# options

my $log = options('a9');

like($log, qr/mss:1400 fc:48914 sendbuf:\d+ recvbuf:67\d+ latency:321,321 idle:1000/,
    'options');
like($log, qr/maxbw:2097152/, 'maxbw');
like($log, qr/sendbuf:10\d{5} /, 'sendbuf');

$log = options('a1');

like($log, qr/mss:1500 fc:25600 sendbuf:12058624 recvbuf:12058624 latency:120,120 idle:10000/,
    'defaults');
like($log, qr/maxbw:-1 filter:$/m, 'default maxbw');

is(join(',', @{call('#!::r=live/l,m=publish', latency => 500)->{latency}}),
    '500,500', 'the longer latency holds');
is(join(',', @{call('live/l2', latency => 20, port => 10081)->{latency}}),
    '321,321', 'that of the listener too');

# who is silent is gone, who has nothing to be sent is not

my $there = call('#!::r=live/there,m=publish', port => 10086);
my $silent = call('#!::r=live/silent,m=publish', port => 10086);
my $soon = call('other/soon', port => 10081);
my $start = time();

is($silent->{code}, 0, 'silent');
$there->serve(3, sub { !client('soon') });
ok(!client('soon') && time() - $start > 0.8, 'idle_timeout 1s: no media');
$there->serve(20, sub { !client('silent') });
ok(!client('silent') && time() - $start > 4, 'idle_timeout')
    or diag('after ' . (time() - $start) . ' s, it is '
        . (client('silent') ? 'there' : 'gone'));
ok(client('there') && !$there->{closed}, 'a peer that only says it is there');

###############################################################################

# encryption, and the packet filter

my $secret = 'srt://127.0.0.1:' . port(10082) . '?';

for my $try (
    [ 'right', 'secret', '&passphrase=a long secret', 1 ],
    [ 'of another stream', 'secret', '&passphrase=another long secret', 0 ],
    [ 'none', 'secret', '', 0 ],
    [ 'not wanted', 'free', '&passphrase=a long secret', 0 ],
    [ 'none, not wanted', 'free', '', 1 ],
) {
    my ($name, $stream, $args, $ok) = @$try;

    my $was = options($stream);
    my $pid = send_file("${secret}streamid=#!::r=live/$stream,m=publish$args");

    wait_until(sub { options($stream) ne $was || !$t->daemon_alive($pid) }, 6);

    my $now = substr options($stream), length $was;

    is(length $now ? 1 : 0, $ok, "passphrase: $name");

    like($now, qr/pbkeylen:24 kmstate:2/, 'AES-192') if $name eq 'right';
    like($now, qr/pbkeylen:\d+ kmstate:0 maxbw:0/, 'in the clear')
        if $name eq 'none, not wanted';

    # whoever is refused does not hold the name, either

    $t->stop_daemon($pid);
    ok(wait_until(sub { !client($stream) }, 2.5), 'gone') if !$ok;
    wait_until(sub { !client($stream) }, 5) if $ok;
}

my $pid = send_file('srt://127.0.0.1:' . port(10080)
    . '?streamid=#!::r=live/fec,m=publish&packetfilter=fec,cols:10,rows:5');
ok(wait_until(sub { client('fec') }, 6), 'packet filter');
like(options('fec'), qr/filter:fec,/, 'it is agreed on');
$t->stop_daemon($pid);

###############################################################################

# answers come from the address that was called: who hears them has a
# connected socket

my %port = map { $_ => port($_) } 10080, 10084, 10085;

for my $try ([ '127.0.0.1', 10080 ], [ '127.0.0.2', 10080 ],
    [ '127.9.9.9', 10080 ], $v6 ? ([ '::1', 10084 ], [ '127.0.0.1', 10084 ],
    [ '127.0.0.3', 10084 ], [ '::1', 10085 ]) : ())
{
    my ($host, $port) = @$try;
    my $name = "net$host";
    $name =~ s/\W/-/g;

    # from an address that the route would not answer

    my $p = Test::Nginx::SRTPeer->new($host, port($port),
        id => "#!::r=live/$name,m=publish",
        $host =~ /:/ ? () : (from => '127.0.0.1'));

    is($p->{code}, 0, "$host: called");
    $p->send($ts);
    $p->serve(0.1);
    $p->close();

    my $line;
    wait_until(sub { ($line) = ($t->read_file('srt.log') // '')
        =~ m!^(\S+ \S+:$port{$port} .*/live/$name .*)$!m }, 5);

    my $from = $host =~ /:/ ? $host : $port == 10084 ? '::ffff:127.0.0.1'
                                                     : '127.0.0.1';
    my $to = $host !~ /:/ && $port == 10084 ? "::ffff:$host" : $host;

    is($line // '', "$from $to:" . port($port)
        . " 200 srt __defaultVhost__/live/$name  -", "$host: access_log");
}

like($t->read_file('srt.log'),
    qr!^127\.0\.0\.1 127\.0\.0\.1:\d+ 200 srt __defaultVhost__/hooked/x u=me&token=t1 me$!m,
    'access_log: arguments');

$_->close() for @peers, $there;

# libsrt speaks through one log, in whole lines

$log = $t->read_file('error.log');
like($log, qr/\[(?:info|debug)\] \d+#\d+: srt: \w/, 'log lines of libsrt');
is(scalar(() = $log =~ /^(?!\d{4}\/\d\d\/\d\d )/mg), 0, 'no foreign lines');

done_testing();

###############################################################################

sub call {
    my ($id, %o) = @_;

    my $port = port(delete $o{port} // 10080);

    return Test::Nginx::SRTPeer->new('127.0.0.1', $port, id => $id, %o);
}

sub client {
    my ($name) = @_;

    return scalar grep { $_->{name} eq $name }
        @{$t->api_get('/api/v1/clients/?count=100')->{clients}};
}

# The debug log's lines about the last session of a stream.

sub options {
    my ($name) = @_;

    return join "\n", grep { /srt options of "$name": / }
        split /\n/, $t->read_file('error.log');
}

sub send_file {
    my ($url) = @_;

    return $t->run_daemon(sub {
        open STDOUT, '>', '/dev/null';
        my $pid = open my $fh, '|-', 'srt-live-transmit', '-q', '-a:no',
            'file://con', $url or die;

        $fh->autoflush(1);
        binmode $fh;

        $SIG{TERM} = sub { kill 'KILL', $pid; _exit(0) };
        $SIG{PIPE} = 'DEFAULT';

        while (1) {
            print $fh $ts;
            sleep(0.2);
        }
    });
}

# Half a second, with a keyframe.

sub ts {
    my $file = $t->testdir() . '/clip.ts';

    system("ffmpeg -hide_banner -nostdin -v error -f lavfi -i "
        . "testsrc2=size=160x90:rate=25 -t 0.5 -c:v libx264 -g 25 -preset "
        . "ultrafast -f mpegts $file 2>$file.log");
    open my $fh, '<', $file or die "no clip: $!\n";
    binmode $fh;
    local $/;
    return scalar <$fh>;
}

###############################################################################
