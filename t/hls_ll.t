#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Low-latency HLS: requests that wait for a playlist or a part, in all workers,
# what they are refused for, delta updates, hints, clients that go away, and
# streams that end or stop while somebody waits.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;

use IO::Select;
use List::Util qw/ min max /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/)
    ->has_daemon('ffmpeg', 'ffprobe');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 128m;
    republish_wait 1s;

    application ll { hls_part 300ms; hls_fragment 1s; hls_window 12s; }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location / { hls; }
        location /api/ { media_api; }
    }
}
END_OF_CONF

$t->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $pid = $t->publish("$rtmp/ll/x");
my $uri = '/ll/x.hls.0.m3u8';

ok(hls_live($uri, 3), 'live');

# the next part

my $p = playlist($uri);

cmp_ok($p->{part_target}, '<=', 0.31, 'part target');
ok(defined $p->{next_part}, 'a part is hinted at');

my $a = get(wait_for($p, $p->{next_msn}, $p->{next_part}));

is($a->{status}, 200, 'the next part: playlist');
like($a->{body}, qr/^#EXT-X-PART:.*\Q$p->{hint}\E"/m, 'the next part is in it');
cmp_ok($a->{time}, '<', 1, 'the next part: in time');
is($a->{header}{'cache-control'}, 'max-age=6', 'the next part: cached');

# what there is already

$a = get(wait_for($p, $p->{last}, 0));

is($a->{status}, 200, 'an old part');
cmp_ok($a->{time}, '<', 0.15, 'an old part: at once');

# a whole segment, also by the name of the stream

$p = playlist($uri);
$a = get("/ll/x.m3u8?_HLS_msn=$p->{next_msn}");

is($a->{status}, 200, 'a segment: playlist');
like($a->{body}, qr/^x\.hls\.$p->{next_msn}\.m4s$/m, 'a segment: is in it');
cmp_ok($a->{time}, '<', 1.6, 'a segment: in time');

# more parts than the segment has: the first one of the next

$p = playlist($uri);
$a = get(wait_for($p, $p->{last}, 90));

is($a->{status}, 200, 'a part behind the end of its segment');

# refused

$p = playlist($uri);

is(get("$uri?_HLS_msn=" . ($p->{last} + 5))->{status}, 400, 'too far ahead');
is(get("$uri?_HLS_msn=" . ($p->{last} + 1) . '&_HLS_part=1000')->{status}, 400,
    'a part too far ahead') if $p->{next_msn} == $p->{last} + 1;
is(get("$uri?_HLS_msn=-1")->{status}, 400, 'no number');
is(get("$uri?_HLS_part=1")->{status}, 400, 'a part without a segment');
is(get("$uri?_HLS_msn=1")->{status}, 200, 'long ago');

# many who wait, in all workers, are answered together

$p = playlist($uri);

my @all = map { start_get(wait_for($p, $p->{next_msn} + 1, 2)) } 1 .. 200;
my %left = map { fileno($_->{socket}) => $_ } @all;
my $end = time() + 10;
my (@times, %bodies);

while (%left && time() < $end) {
    for my $s (IO::Select->new(map { $_->{socket} } values %left)
        ->can_read(1))
    {
        push @times, time();
        my $a = end_get(delete $left{fileno $s});
        $bodies{$a->{status} . ' ' . $a->{body}}++;
    }
}

is(scalar @times, 200, '200 wait: all are answered');
is(scalar keys %bodies, 1, '200 wait: with the same playlist');
like((keys %bodies)[0], qr/^200 #EXTM3U/, '200 wait: a playlist');
note(sprintf '200 answers in %.1f ms', 1000 * (max(@times) - min(@times)));
cmp_ok(max(@times) - min(@times), '<', 0.5, '200 wait: within half a second');

# delta updates

ok(wait_until(sub { @{playlist($uri)->{segments}} >= 11 }, 20), 'long enough');

my $full = playlist($uri);
my $delta = parse(get(wait_for($full, $full->{next_msn}, $full->{next_part})
    . '&_HLS_skip=YES')->{body});

cmp_ok($delta->{skipped} || 0, '>', 0, 'delta update: skips segments');
cmp_ok(length $delta->{text}, '<', length $full->{text},
    'delta update: is shorter');
cmp_ok($delta->{last}, '>=', $full->{last}, 'delta update: goes as far');

# the part that is hinted at

$p = playlist($uri);
$a = get("/ll/$p->{hint}");

is($a->{status}, 200, 'hint: answered');
cmp_ok($a->{time}, '<', 1, 'hint: in time');
is(length $a->{body}, $a->{header}{'content-length'}, 'hint: whole');

my $part = $a->{body};

is(get("/ll/$p->{hint}")->{body}, $part, 'hint: the same part later');
is(get("/ll/$p->{hint}", method => 'HEAD')->{header}{'content-length'},
    length $part, 'hint: HEAD');

my $s = $p->{segments}[-2];
my $whole = join '', map { get("/ll/$_")->{body} } @{$s->{parts}};

cmp_ok(scalar @{$s->{parts}}, '>=', 4, 'a segment has parts');
is(get("/ll/$s->{uri}")->{body}, $whole, 'the parts are the segment');

is(get('/ll/x.hls.' . ($p->{last} + 9) . '.0.m4s')->{status}, 404,
    'a part that nobody hinted at');

# clients that go away while they wait

$p = playlist($uri);

for my $n (1 .. 100) {
    my $a = start_get(wait_for($p, $p->{next_msn} + 1, 3));
    close $a->{socket};
}

is(get($uri)->{status}, 200, 'clients that went away');

# one connection, one wait after the other

my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8080));
my $ok = 0;

for my $n (1 .. 5) {
    $p = playlist($uri);
    my $path = wait_for($p, $p->{next_msn}, $p->{next_part});
    print $sock "GET $path HTTP/1.1\r\nHost: x\r\n\r\n";
    my $got = '';
    while ($got !~ /\r\n\r\n/) {
        last unless IO::Select->new($sock)->can_read(3);
        last unless sysread $sock, $got, 65536, length $got;
    }
    my ($len) = $got =~ /Content-Length: (\d+)/;
    last unless defined $len;
    while (length($got) < index($got, "\r\n\r\n") + 4 + $len) {
        last unless sysread $sock, $got, 65536, length $got;
    }
    $ok++ if $got =~ /^HTTP\/1.1 200.*\Q$p->{hint}\E/s;
}

is($ok, 5, 'one connection waits again and again');
close $sock;

# the whole of it

is(checked('/ll/x.m3u8', '--seconds=10', '--ll', '--clock=50'), '',
    'check-hls');

# the publisher stops sending: 503 after three target durations

$p = playlist($uri);
kill 'STOP', $pid;
sleep 0.5;
$p = playlist($uri);

$a = get(wait_for($p, $p->{next_msn} + 1, 0));
is($a->{status}, 503, 'what does not come: 503');
cmp_ok($a->{time}, '>', 2.5, 'what does not come: after a while');
cmp_ok($a->{time}, '<', 4, 'what does not come: not too late');
is($a->{header}{'cache-control'}, 'no-cache, no-store',
    'what does not come: is not kept');

kill 'CONT', $pid;

# the end, while somebody waits

$pid = $t->publish("$rtmp/ll/x") unless wait_until(sub {
    playlist($uri)->{last} > $p->{last} }, 3);
wait_until(sub { playlist($uri)->{last} > $p->{last} }, 15);

$p = playlist($uri);
my $waits = start_get(wait_for($p, $p->{next_msn} + 1, 3));
$t->stop_daemon($pid);
$a = end_get($waits);

is($a->{status}, 200, 'the end: who waits is told');
like($a->{body}, qr/^#EXT-X-ENDLIST/m, 'the end: ENDLIST');
cmp_ok($a->{time}, '<', 4, 'the end: in time');

is(parked(), 0, 'nobody is left');

done_testing();

###############################################################################

sub wait_for {
    my ($p, $msn, $part) = @_;
    return "$uri?_HLS_msn=$msn&_HLS_part=$part";
}

# connections that nginx holds

sub parked {
    my $port = sprintf ':%04X', port(8080);
    my $n;

    wait_until(sub {
        open my $fh, '<', '/proc/net/tcp' or return 1;
        $n = grep { my @f = split; $f[1] =~ /$port$/ && $f[3] eq '01' } <$fh>;
        $n == 0;
    }, 5);

    return $n;
}
