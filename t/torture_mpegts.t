#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# mpegts { } in bad hands: datagrams of everything and of all sizes, RTP that
# lies and jumps, senders who want the place of the one who sends, programs,
# sections and pictures without end, over UDP and TCP; connections that say
# nothing, or a byte in a second, or are hundreds; a back end that does not
# answer; and a worker that is killed while garbage comes.  Streams beside,
# over RTMP and over the same UDP port, miss nothing.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::BadTS;
use Test::Nginx::Hook;
use Test::Nginx::Player;
use Test::Nginx::SRT;
use Test::Nginx::Torture;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live srt /)
    ->has_daemon('ffmpeg');

$t->write_file_expand('nginx.conf', <<'EOC');
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;

events { worker_connections 4096; }

media {
    zone            64m;
    republish_wait  300ms;
    idle_timeout    5s;
    publish_timeout 2s 2s;

    application live { publish_timeout 20s 20s; }
    application slow { on_publish http://127.0.0.1:8085/slow; }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }

    server {
        listen 127.0.0.1:%%PORT_8935_UDP%% udp;
        mpegts { publish live/sent; timeout 2s; }
    }

    server {
        listen 127.0.0.1:%%PORT_8936_UDP%% udp;
        mpegts { publish bad/udp; timeout 1s; }
    }

    server {
        listen 127.0.0.1:%%PORT_8937_UDP%% udp;
        mpegts { publish bad/rtp; rtp on; timeout 1s; }
    }

    server {
        listen 127.0.0.1:%%PORT_8938_UDP%% udp;
        mpegts { publish slow/udp; timeout 1s; }
    }

    server {
        listen 127.0.0.1:%%PORT_8939%%;
        mpegts { publish bad/tcp; timeout 1s; }
    }

    server {
        listen 127.0.0.1:%%PORT_8940%%;
        mpegts { publish bad/c$remote_port; timeout 1s; }
    }

    server {
        listen 127.0.0.1:%%PORT_8941%%;
        mpegts { publish slow/tcp$remote_port; timeout 1s; }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location / { flv_live; play_wait 8s; }
        location /api/ { media_api write; }
    }
}
EOC

$t->run();
$SIG{PIPE} = 'IGNORE';

my $hook = Test::Nginx::Hook->new($t, port(8085));
my $clip = ts_clip($t, 'clip', duration => 8, size => '160x90');
my $ts = do { open my $fh, '<:raw', $clip->{ts} or die; local $/; <$fh> };

my $was = workers_state($t);
my $well = healthy($t, flv => 2, rtmp => 1);
my $sender = $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin -loglevel warning
    -re -stream_loop -1 -i /, $clip->{file}, qw/ -c copy -f mpegts /,
    'udp://127.0.0.1:' . port(8935) . '?pkt_size=1316');

my $player = Test::Nginx::Player->flv('/live/sent.flv',
    digest => \&flv_digest);

ok(play_until(sub { $player->video() > 5 }, 10), 'a stream over UDP');

###############################################################################

# to a port that nobody has, one where somebody sends, and one of RTP

attack('datagrams', sub {
    my @s = map { udp(port($_)) } 8936, 8935, 8937;

    for my $n (0 .. 20, 187 .. 189, 375 .. 377, 1315 .. 1317, 1471 .. 1473,
        2048, 9000, 65507)
    {
        send $_, $n < 3000 ? junk($n) : 'x' x $n, 0 for @s;
        send $_, "\x47" x $n, 0 for @s;
        send $_, "\x80\x21" . "\x47" x ($n > 1 ? $n - 2 : 0), 0 for @s;
        $player->take();
    }

    # as large as a datagram may be, of packets

    for my $big (substr($ts, 0, 188 * 348), substr($ts, 100, 65507)) {
        send $_, $big, 0 for @s;
    }

    for my $n (1 .. 300) {
        my $p = substr $ts, 188 * (7 * $n % 900), 1316;

        send $_, mutate($p, 0, $n), 0 for @s;
        sleep 0.005 if $n % 20 == 0;
        $player->take() if $n % 20 == 0;
    }
});

attack('others who send', sub {
    my @s = map { udp(port(8935), "127.0.5.$_") } 1 .. 60;

    for my $n (1 .. 20) {
        send $_, substr($ts, 1316 * $n, 1316), 0 for @s;
        $player->take();
        sleep 0.02;
    }

    # two who take turns at a port of their own

    my ($a, $b) = (udp(port(8936), '127.0.6.1'), udp(port(8936), '127.0.6.2'));

    for my $n (1 .. 100) {
        send $_, substr($ts, 1316 * $n, 1316), 0 for $a, $b;
        sleep 0.01;
    }

    my @p = publishers('udp');
    die 'wrong: ' . @p . " publish\n" if @p > 1;
});

attack('RTP', sub {
    my $s = udp(port(8937));
    my ($seq, $n) = (0, 0);

    my $packet = sub { my ($seq, $first, $head, $data) = @_;
        pack('CCnNN', $first, 33, $seq & 0xffff, $n * 3600, 7) . $head
        . $data };

    for my $data (map { substr $ts, 1316 * ($_ % 60), 1316 } 1 .. 200) {
        $n++;

        # jumps, back and forth; twice; of another source

        $seq += (1, 1, 1, 2, 40, -1, 3000, -3000, 32768, -40, 32767)[$n % 11];
        send $s, $packet->($seq, 0x80, '', $data), 0 for 1 .. 1 + $n % 3;

        # CSRCs, extensions, paddings and types that lie

        send $s, $packet->($seq + 1, 0x80 | $n % 16, '', $data), 0;
        send $s, $packet->($seq + 2, 0x90, pack('nn', 1, 65535), $data), 0;
        send $s, $packet->($seq + 3, 0x90, pack('nn', 1, $n), $data), 0;
        send $s, $packet->($seq + 4, 0xa0, '', $data . chr $n), 0;
        send $s, $packet->($seq + 5, 0xbf, '', substr $data, 0, $n % 70), 0;
        send $s, pack('Cn', 0x80, $n) . substr($data, 0, $n % 20), 0;
        send $s, $packet->($seq + 6, 0x80, '', $data x 40), 0;

        $player->take() if $n % 10 == 0;
        sleep 0.004;
    }
});

attack('media without end', sub {
    my @bad = map { udp(port($_)) } 8936, 8937;
    my @tcp = map { tcp(8940) } 1 .. 3;
    my @bytes = (ts_bomb() . $ts, ts_endless(), junk(188 * 500) . $ts);

    for my $i (0 .. $#bytes) {
        spill($tcp[$i], $bytes[$i]);

        for (my $at = 0; $at < length $bytes[$i] && $at < 1316 * 800;
            $at += 1316)
        {
            my $part = substr $bytes[$i], $at, 1316;

            send $bad[0], $part, 0;
            send $bad[1], pack('CCnNN', 0x80, 33, $at / 1316, 0, 7) . $part, 0;
            sleep 0.002 if $at / 1316 % 20 == 0;
            $player->take() if $at / 1316 % 100 == 0;
        }
    }
});

ok(goes_on(), 'the stream over UDP goes on');

###############################################################################

# connections

drip($t, 8940, 40, $ts);

attack('connections that say nothing', sub {
    my @s = map { tcp(8940) } 1 .. 200;
    my $begin = time();

    die "wrong: they stay\n" unless play_until(sub {
        @s = grep { !gone($_) } @s;
        return !@s;
    }, 6);

    Test::More::note(sprintf 'closed after %.1f s', time() - $begin);
});

attack('500 connections of one name', sub {
    my @s;

    for my $n (1 .. 500) {
        push @s, tcp(8939);
        spill($s[-1], substr $ts, 0, 1316);
        $player->take() if $n % 20 == 0;
    }

    # one of them has the name, others go at once

    play_until(sub { @s = grep { !gone($_) } @s; @s < 2 }, 1.5);
    die 'wrong: ' . @s . " stay\n" if @s > 1;

    $_->close() for @s;
});

$hook->answer('/slow', status => 200, body => '0', delay => 20);

attack('a back end that does not answer', sub {
    my @s = map { tcp(8941) } 1 .. 40;
    my $u = udp(port(8938));

    spill($_, substr $ts, 0, 13160) for @s;

    for my $n (1 .. 400) {
        send $u, substr($ts, 1316 * ($n % 50), 1316), 0;
        sleep 0.002;
        $player->take() if $n % 20 == 0;
    }

    die "wrong: somebody publishes\n" if publishers(qr/^(?:udp|tcp\d+)$/,
        'slow');

    $_->close() for @s;
});

ok(goes_on(), 'the stream over UDP goes on');

my ($cut, $last) = drip_end($t, 8940);

is($cut, 40, 'a byte in a second is not enough');
note("after $last s");
cmp_ok($last, '<', 12, 'for long');

###############################################################################

is($player->faults($clip), '', 'every frame over UDP');
is(healthy_end($t), '', 'the stream beside lost nothing');

# the worker that reads is killed while garbage comes

my ($pid) = map { $_->{worker} } publishers('sent', 'live');
my $noise = $t->run_daemon(\&noise, port(8935));

$player->drop();
$t->kill_worker($pid);

my $after = Test::Nginx::Player->flv('/live/sent.flv');

ok(play_until(sub { $after->video() > 10 }, 12),
    'the next worker finds the stream among garbage');

$after->drop();
$t->stop_daemon($_) for $noise, $sender;
$hook->answer('/slow');

my $a;

ok(wait_until(sub { $a = arena($t); exists $a->{used} && !$a->{sources}
    && !$a->{clients} && !$a->{used} }, 15), 'everything is given back')
    or diag(join ' ', map { "$_ $a->{$_}" } sort keys %$a);

for my $now ($t->workers()) {
    next unless exists $was->{own}{$now};

    cmp_ok(Test::Nginx::Torture::_own($now) - $was->{own}{$now}, '<', 20000,
        "memory of worker $now, KB") unless $t->has_module('sanitizer');
}

$t->stop();
done_testing();

###############################################################################

sub udp {
    my ($port, $from) = @_;

    return IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1',
        PeerPort => $port, $from ? (LocalAddr => $from) : ())
        || die "no socket: $!\n";
}

sub tcp {
    my ($port) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => port($port), Timeout => 3)
        || die "wrong: no connection: $!\n";

    $s->blocking(0);

    return $s;
}

# As much as goes within a second.

sub spill {
    my ($s, $data) = @_;

    my $end = time() + 1;

    while (length $data && time() < $end) {
        my $n = syswrite $s, $data, 65536;

        last if !defined $n && !$!{EAGAIN};
        substr($data, 0, $n // 0) = '';
        sleep 0.002 unless $n;
    }
}

sub gone {
    my ($s) = @_;

    my $n = sysread $s, my $in, 100;
    return defined $n ? !$n : !$!{EAGAIN};
}

sub publishers {
    my ($name, $app) = @_;

    my $like = ref $name ? $name : qr/^\Q$name\E$/;

    return grep { $_->{publish} && $_->{name} =~ $like
        && (!defined $app || ($_->{tcUrl} // '') =~ m!/$app$!) }
        @{($t->api_get('/api/v1/clients/?count=2000') || {})->{clients} || []};
}

sub goes_on {
    my $from = $player->mark();

    return play_until(sub { $player->video($from) > 10 }, 8);
}

sub noise {
    my ($port) = @_;

    my @s = map { udp($port, "127.0.7.$_") } 1 .. 4;

    for my $n (1 .. 3000) {
        send $_, junk($n % 200), 0 for @s;
        sleep 0.005;
    }
}

###############################################################################
