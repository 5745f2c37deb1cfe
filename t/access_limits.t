#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Limits that hold over four workers: max_players under 200 players who come
# at once over several protocols, max_sessions_per_address, max_publish_rate,
# and bans, which no other worker or protocol lets pass; a worker that dies
# takes its counts along.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Access;
use Test::Nginx::FLV;
use Test::RTMP;

use IO::Select;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live hls /);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 4;

events {
}

media {
    zone 64m;
    idle_timeout 10s;
    republish_wait 1s;
    publish_timeout 20s 20s;
    hls on;
    hls_fragment 1s;
    hls_window 3s;

    application few { max_players 120; }
    application one { max_sessions_per_address 3; }
    application rate { max_publish_rate 400k; }
}

stream {
    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 reuseport;

        location / { flv_live; hls; }
        location /push/ { flv_live_push on; }
        location /api/ { media_api write; }
    }
}

EOF_CONF

$t->run();

###############################################################################

my @pubs;

for my $name (qw/ few one live /) {
    my ($code, $pub) = rtmp_publish($name, 'x', from => '127.0.0.99');
    is($code, 'Publish.Start', "$name is live");
    push @pubs, $pub;
}

# what is left of a publisher's silence is nothing

my $ms = 1300;

sub alive { feed($_, $ms) for @pubs; $ms += 1300 }

# 200 at once

my @flv = map { http_ask('/few/x.flv', $_) } 1 .. 200;
my $in = wait_count(\@flv);

is($in, 120, 'so many of 200 play');
ok(workers('few') > 1, 'on more than one worker');
is(players('few'), 120, 'the API counts the same');

is(http_play('/few/x.flv'), 403, 'one more over HTTP');
is(rtmp_play('few', 'x'), 'Play.Failed', 'over RTMP');

alive();
is(http_play('/few/x.m3u8'), 403, 'over HLS');
is(http_play('/few/x.m3u8?_HLS_msn=1'), 403, 'without a session');
is(http_play('/live/x.flv'), 200, 'another stream');

# room again

my @in = grep { $_->{in} } @flv;

close $_->{socket} for splice @in, 0, 5;

ok(wait_until(sub { players('few') == 115 }, 10), 'five leave');

my ($code, @rtmp) = ('');

for (1 .. 5) {
    ($code, my $c) = rtmp_play('few', 'x');
    push @rtmp, $c if $code eq 'Play.Start';
}

is(@rtmp, 5, 'five come over RTMP');
is(http_play('/few/x.flv'), 403, 'and no sixth');

# who stops to play on a connection that stays counts no more

$rtmp[0]->command_on($rtmp[0]{msid}, 'closeStream', 0, undef);

ok(wait_until(sub { my $s = http_player('/few/x.flv'); push @in,
    { socket => $s } if $s; $s }, 10), 'one stops');
is(rtmp_play('few', 'x', client => $rtmp[0]), 'Play.Failed',
    'and is too late');

# viewers of HLS count

close $_->{socket} for splice @in, 0, 3;
ok(wait_until(sub { players('few') == 117 }, 10), 'three leave');
alive();

ok(wait_until(sub { http_play('/few/x.m3u8') == 200 }, 10), 'a viewer');
is(http_play('/few/x.hls.0.m3u8'), 403, 'media is for who is counted');
is(http_play('/few/x.m3u8'), 200, 'a second one');
is(http_play('/few/x.m3u8'), 200, 'a third one');
is(http_play('/few/x.m3u8'), 403, 'no fourth');
is(http_play('/few/x.flv'), 403, 'nor over HTTP');
ok(wait_until(sub { alive(); http_play('/few/x.flv') == 200 }, 20),
    'they are gone after their silence');

# a worker dies: nothing of it counts any more

close $_->{socket} for @in;
$_->close() for @rtmp;
ok(wait_until(sub { players('few') == 0 }, 10), 'all leave');

# by address

my @own = map { http_player('/one/x.flv', from => '127.0.0.5') } 1 .. 3;
is(grep({ defined } @own), 3, 'sessions of one address');
is(http_play('/one/x.flv', from => '127.0.0.5'), 403, 'one more');
is(rtmp_publish('one', 'y', from => '127.0.0.5'), 'Publish.Denied',
    'nor publish');
is(http_play('/one/x.flv', from => '127.0.0.6'), 200, 'another address');
is(http_play('/live/x.flv', from => '127.0.0.5'), 200, 'another application');

my @many = map { http_ask('/one/x.flv', $_, '127.0.0.8') } 1 .. 50;
is(wait_count(\@many), 3, 'three of 50 who come at once');

close $own[0];
ok(wait_until(sub { http_play('/one/x.flv', from => '127.0.0.5') == 200 }, 10),
    'one leaves');

# who has just left may be listed still

my @mine;
ok(wait_until(sub { @mine = grep { !$_->{publish}
    && $_->{ip} eq '127.0.0.5' } @{clients()}; @mine == 2 }, 10), 'two stay');
ok($t->kill_worker($mine[0]{worker}), 'the worker of one is killed');

for my $i (0 .. 2) {
    next unless $pubs[$i]->closed(0.5);
    ($code, $pubs[$i]) = rtmp_publish((qw/ few one live /)[$i], 'x',
        from => '127.0.0.99');
    is($code, 'Publish.Start', 'its publisher is back');
}

ok(wait_until(sub { http_play('/one/x.flv', from => '127.0.0.5') == 200 }, 15),
    'there is room again');

# what is sent too fast

my ($told, $slow) = rtmp_publish('rate', 'slow');
($told, my $fast) = rtmp_publish('rate', 'fast');
($told, my $burst) = rtmp_publish('rate', 'burst');

# 160 kbyte in a moment: 1.3 Mbit, less than five seconds of 400 kbit/s

$burst->video(2000, Test::RTMP::avc_key(1, 160_000));

my ($start, $closed, $n) = (time(), undef, 0);

while (time() < $start + 14 && !$closed) {
    my $at = 2000 + int((time() - $start) * 1000);

    # 320 kbit/s and 1.6 Mbit/s

    $slow->video($at, Test::RTMP::avc_inter($n, 4_000)) if ++$n;
    $burst->video($at + 1000, Test::RTMP::avc_inter($n, 1_000));
    $fast->video($at, Test::RTMP::avc_inter($n, 20_000));
    $closed = time() - $start if $fast->closed(0.1);
}

ok($closed && $closed > 1 && $closed < 8, 'too fast is closed')
    or diag($closed // 'never');

my $go = time();

while (time() < $go + 6) {
    my $at = 2000 + int((time() - $start) * 1000);
    $slow->video($at, Test::RTMP::avc_inter(++$n, 4_000));
    $burst->video($at + 1000, Test::RTMP::avc_inter($n, 1_000));
    sleep(0.1);
}

ok(!$slow->closed(0.1), 'below the rate goes on');
ok(!$burst->closed(0.1), 'a burst passes');
like($t->read_file('error.log'), qr/more than max_publish_rate, 4\d\d kbit/,
    'and a line tells');

# over HTTP

my $post = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8080));
print $post "POST /push/rate/post.flv HTTP/1.1\r\nHost: localhost\r\n"
    . "Content-Length: 100000000\r\n\r\n" . flv_start(1);

($start, $closed, $n) = (time(), undef, 0);
local $SIG{PIPE} = 'IGNORE';

while (time() < $start + 12 && !$closed) {
    my $body = $n ? Test::RTMP::avc_inter($n, 20_000)
        : Test::RTMP::avc_config();
    my $at = int((time() - $start) * 1000);

    $n++;
    print $post pack('C', 9) . substr(pack('N', length $body), 1)
        . substr(pack('N', $at), 1) . "\0\0\0\0" . $body
        . pack('N', 11 + length $body) or $closed = time() - $start;
    $closed ||= time() - $start if IO::Select->new($post)->can_read(0.1);
}

ok($closed && $closed > 1 && $closed < 8, 'too fast over HTTP')
    or diag($closed // 'never');

# bans

my ($a, $b) = map { http_player('/live/x.flv', from => "127.0.0.$_") } 20, 21;
my ($id) = map { $_->{id} } grep { $_->{ip} eq '127.0.0.20' } @{clients()};

is($t->api_request('DELETE', '/api/v1/clients/nobody00?ban=60')->{code}, 2049,
    'nobody to ban');

for my $bad ('ban=x', 'ban=0', 'ban=', 'ban=-1', 'ban=60&by=color') {
    is($t->api_request('DELETE', "/api/v1/clients/$id?$bad")->{code}, 1064,
        $bad);
}

is(http_play('/live/x.flv', from => '127.0.0.20'), 200, 'not banned yet');
is($t->api_request('DELETE', "/api/v1/clients/$id?ban=6")->{code}, 0,
    'kicked with a ban');

my $until = time() + 6;

ok(gone($a), 'the connection is closed');

for my $try (1 .. 12) {
    is(http_play('/live/x.flv', from => '127.0.0.20'), 403, "try $try");
}

is(rtmp_play('live', 'x', from => '127.0.0.20'), 'Play.Failed', 'over RTMP');
alive();
is(http_play('/live/x.m3u8', from => '127.0.0.20'), 403, 'over HLS');
is(http_play('/live/x.flv', from => '127.0.0.21'), 200, 'another address');
is(http_play('/one/x.flv', from => '127.0.0.20'), 200, 'another stream');

ok($t->reload(), 'reload');
is(http_play('/live/x.flv', from => '127.0.0.20'), 403, 'after a reload')
    if time() < $until - 1;

sleep($until - time() + 0.2) if time() < $until;
is(http_play('/live/x.flv', from => '127.0.0.20'), 200, 'when it is over');

# a publisher, by its name and by its address

my ($c, $pub);
($code, $pub) = rtmp_publish('live', 'bad', from => '127.0.0.30');
($id) = map { $_->{id} } grep { $_->{ip} eq '127.0.0.30' } @{clients()};

is($t->api_request('DELETE', "/api/v1/clients/$id?ban=1m&by=name")->{code}, 0,
    'a name');
ok($pub->closed(5), 'the publisher is gone');
is(rtmp_publish('live', 'bad', from => '127.0.0.31'), 'Publish.Denied',
    'from any address');
is(http_push('/push/live/bad.flv'), 403, 'nor pushed');
is(rtmp_publish('live', 'good', from => '127.0.0.30'), 'Publish.Start',
    'another name');

($code, $pub) = rtmp_publish('live', 'worse', from => '127.0.0.32');
($id) = map { $_->{id} } grep { $_->{ip} eq '127.0.0.32' } @{clients()};
is($t->api_request('DELETE', "/api/v1/clients/$id?ban=1h&by=address")->{code},
    0, 'an address');
is(rtmp_publish('live', 'other', from => '127.0.0.32'), 'Publish.Denied',
    'no other name');
is(http_play('/live/x.flv', from => '127.0.0.32'), 403, 'nor play');

###############################################################################

done_testing();

###############################################################################

sub http_ask {
    my ($path, $n, $from) = @_;

    my $s = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => $from
        || '127.0.0.1', PeerAddr => '127.0.0.1:' . port(8080)) or die $!;
    print $s "GET $path HTTP/1.0\r\nHost: localhost\r\n\r\n";

    return { socket => $s, head => '' };
}

# How many are told 200; all are told something.

sub wait_count {
    my ($list) = @_;

    my $end = time() + 20;
    my $count = 0;

    for my $p (@$list) {
        while ($p->{head} !~ /\r\n/ && time() < $end) {
            last unless IO::Select->new($p->{socket})->can_read(1);
            last unless sysread $p->{socket}, $p->{head}, 4096,
                length $p->{head};
        }

        $p->{in} = $p->{head} =~ m!^HTTP/1\.\d 200 !;
        $count++ if $p->{in};
    }

    return $count;
}

sub clients {
    return $t->api_get('/api/v1/clients/?count=1000')->{clients};
}

sub of { my ($app) = @_;
    return grep { !$_->{publish} && $_->{stream} && $_->{url} eq "/$app/x" }
        @{clients()} }

sub players { return scalar of(@_) }
sub workers { my %w = map { $_->{worker} => 1 } of(@_); return scalar keys %w }

sub gone {
    my ($s) = @_;

    return wait_until(sub {
        return 0 unless IO::Select->new($s)->can_read(0.1);
        my $n = sysread $s, my $data, 1 << 20;
        return !$n;
    }, 10);
}
