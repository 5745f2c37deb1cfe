#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# SRT in bad hands: handshakes of all kinds of damage and from many addresses,
# callers who never end theirs, stream ids and extensions that lie, peers who
# send nonsense, demand everything anew, never read or never send, programs and
# sections without end.  What it costs has bounds, callers come in meanwhile,
# and the stream beside misses nothing.

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
use Test::Nginx::SRTPeer;
use Test::Nginx::Torture qw/ workers_state workers_back attack junk /;

use IO::Select;
use IO::Socket::INET;
use List::Util qw/ max min sum /;
use Time::HiRes qw/ sleep time /;

use constant { INDUCTION => 1, CONCLUSION => 0xffffffff };

select STDERR; $| = 1;
select STDOUT; $| = 1;

# threads of libsrt for each caller who shakes hands; so many at once in each
# worker

use constant { PENDING => 256, THREADS => 4 };

my %most;

my $t = Test::Nginx->new()->has(qw/ http stream srt /)
    ->has_daemon(qw/ ffmpeg srt-live-transmit /);

$t->write_file_expand('nginx.conf', <<'EOC');
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;

events { worker_connections 4096; }

media {
    zone            64m;
    republish_wait  300ms;
    idle_timeout    500ms;
    publish_timeout 2s 2s;

    application live { }
    application few  { max_players 2; }

    application slow { on_publish http://127.0.0.1:8085/slow; }
}

stream {
    map $media_stream $secret {
        default "";
        short   "short";
        good    "0123456789";
    }

    server { listen %%PORT_10080_UDP%% udp reuseport; srt { } }

    server {
        listen 127.0.0.1:%%PORT_10081_UDP%% udp reuseport;

        srt {
            connect_timeout 2s;
            idle_timeout    1s;
            passphrase      $secret;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location / { media_api write; }
    }
}
EOC

$t->run();

my $hook = Test::Nginx::Hook->new($t, port(8085));
my $ts = ts();
my $clip = ts_clip($t, 'clip', duration => 4);

# each worker has once had all that it makes when the first caller comes

call("live/warm$_")->close() for 1 .. 12;
sleep 1;

my $was = workers_state($t);

my $publisher = srt_send($t, $clip, srt_url(port(10080), 'live/well',
    'publish'));

wait_until(sub { clients('well') }, 10) or die "nobody publishes\n";

my @players = map { srt_play($t, srt_url(port(10080), 'live/well', 'request')) }
    1 .. 2;

ok(more(5), 'a stream beside');

###############################################################################

# floods of callers who never go on, of addresses that are not theirs, so to
# say: nobody hears what they are answered

my ($begun, @ms);

attack('a flood of inductions', sub {
    my $pid = $t->run_daemon(\&flood, port(10080), 4);

    sleep 0.5;

    for (1 .. 8) {
        $begun = time();
        my $p = call("#!::r=live/honest$_,m=publish", timeout => 3);
        push @ms, defined $p->{code} && !$p->{code} ? 1000 * (time() - $begun)
            : 9999;
        $p->close() if defined $p->{code};
        most();
    }

    $t->stop_daemon($pid);
});

note('callers get in meanwhile, ms: ' . join ' ', map { int } @ms);
cmp_ok(scalar(grep { $_ < 3000 } @ms), '>=', 6, 'callers get in meanwhile');
note("at most $most{threads} threads and $most{fds} descriptors");
cmp_ok($most{threads}, '<', 40 + THREADS * PENDING, 'threads have a bound');
cmp_ok($most{fds}, '<', 100 + 2 * PENDING, 'descriptors have a bound');

$begun = time();
is(call('#!::r=live/then,m=publish')->{code}, 0, 'and behind it');
note(sprintf '%.0f ms', 1000 * (time() - $begun));

attack('one address with a thousand ports', sub {
    for (1 .. 1000) {
        send udp(10080, '127.0.0.77'), handshake(socket => $_), 0;
        sleep 0.01 if $_ % 50 == 0;
    }

    my $p = call('#!::r=live/one,m=publish');
    die "wrong: nobody else gets in\n" if $p->{code} // 1;
    $p->close();
});

###############################################################################

# handshakes that are damaged

attack('inductions', sub {
    my $good = handshake();

    for my $n (0 .. 80, 200, 1456, 1472, 1500, 2000, 2048, 2049, 9000, 65507) {
        send udp(10080), substr($good . "\0" x $n, 0, $n), 0;
    }

    for my $round (1 .. 300) {
        send udp(10080), Test::Nginx::Torture::mutate($good, 0, $round), 0;
        sleep 0.01 if $round % 20 == 0;
    }

    send udp(10080, '127.0.0.2'), handshake(%$_), 0 for map { my $h = $_;
        map { { $h => $_ } } 0, 1, 3, 5, 255, 0x7fffffff, 0x80000000,
            0xfffffffe, 0xffffffff } qw/ version enc ext seq mss window type
            socket cookie to /;
});

attack('conclusions', sub {
    my @try = extensions();
    my $from = 0;

    while (my @some = splice @try, 0, 25) {
        my @s = induced(map { [ $_->[2], '127.0.4.' . ++$from ] } @some);

        for my $i (0 .. $#s) {
            my (undef, $o, undef) = @{$some[$i]};
            conclude($s[$i], %$o) for 1 .. 2;
        }

        sleep 0.4;

        my @said = map { answer($_, 0.01) // '-' } @s;

        note(join ', ', map { "$some[$_][0]: $said[$_]" } 0 .. $#s);
    }

    # damaged ones

    for my $from (1 .. 4) {
        my @s = induced(map { [ 10080, "127.0.1$from.$_" ] } 1 .. 30);
        my $n = 0;

        for my $s (@s) {
            my $c = conclusion($s, id => 'live/mutated');
            send $s->{socket}, Test::Nginx::Torture::mutate($c, 20, ++$n), 0
                for 1 .. 3;
        }

        sleep 0.1;
    }
});

# without an induction, and with a cookie that is not that one

attack('cookies', sub {
    my $s = { socket => udp(10080), cookie => 0x12345678 };

    conclude($s, id => 'live/x') for 1 .. 3;
    die "wrong: an answer\n" if defined answer($s, 0.3);

    ($s) = induced([ 10080 ]);
    $s->{cookie} ^= 1;
    conclude($s, id => '#!::r=live/x,m=publish') for 1 .. 3;

    my $said = answer($s, 0.3);
    die "wrong: a wrong cookie: $said\n" if defined $said && !$said;
});

ok(more(5), 'the stream beside goes on');

###############################################################################

# back ends that do not answer: callers wait, others do not

$hook->answer('/slow', status => 200, body => '0', delay => 30);

my @waiting;

attack('hooks that hang', sub {
    @waiting = induced(map { [ 10080, "127.0.2.$_" ] } 1 .. 40);
    conclude($waiting[$_], id => "#!::r=slow/x$_,m=publish") for 0 .. 39;
    sleep 0.3;

    my @ms = Test::Nginx::Torture::newcomers(8, sub {
        my $p = call('#!::r=live/beside,m=publish');
        $p->close();
        return defined $p->{code} && !$p->{code};
    });

    note(sprintf 'others: %.0f, %.0f ms', @ms);
    die "wrong: others wait $ms[0] ms\n" if $ms[0] > 1000;
});

###############################################################################

# peers who are in

attack('peers', sub {
    my %p = map { $_ => call("#!::r=live/$_,m=publish", port => 10081) }
        qw/ silent garbage bomb endless jumps tiny many split after control /;

    for my $name (sort keys %p) {
        die "wrong: $name gets no answer\n" if $p{$name}{code} // 1;
    }

    my %bytes = (
        garbage => junk(1316) x 200,
        bomb => ts_bomb() . $ts,
        endless => ts_endless(),
        jumps => jumps(),
        tiny => '',
        many => $ts,
    );

    $p{$_}->send($bytes{$_}) for sort keys %bytes;

    # messages of 0, 1 and 187 bytes, and of many packets

    for my $n (0, 1, 2, 16, 187, 188, 189, 1, 0, 1455, 1456, 1457, 1484) {
        message($p{tiny}, 0xc0000000, junk($n));
    }

    message($p{split}, 0x80000000, substr $ts, 0, 1316);
    message($p{split}, 0x00000000, substr $ts, 1316 * $_, 1316) for 1 .. 5;
    message($p{split}, 0x40000000, substr $ts, 0, 1316);
    message($p{split}, 0x00000000, $ts) for 1 .. 20;

    nonsense($p{control});

    # who has left goes on

    $p{after}->send($ts);
    $p{after}->control(5);
    $p{after}->send($ts);
    $p{after}->control($_) for 0 .. 8;
    $p{after}->send($ts);

    $_->serve(0.05) for values %p;
    $p{many}->send($ts);
    $_->serve(0.1) for values %p;
});

# players: who demands all of it anew, who takes nothing, who takes one packet
# in a second

attack('players', sub {
    my ($nak, $mute, $slow) = map {
        call('#!::r=live/well,m=request', port => 10081, from => "127.0.3.$_")
    } 1 .. 3;

    for ($nak, $mute, $slow) {
        die "wrong: a player gets $_->{code}\n" if $_->{code} // 1;
    }

    my ($end, $asked, $got, $first) = (time() + 1.5, 0, 0, undef);

    while (time() < $end) {
        my $p = $nak->read(0.005);

        if (defined $p && length $p > 16) {
            my ($head) = unpack 'N', $p;

            if (!($head & 0x80000000)) {
                $first //= $head;
                $nak->{high} = $head if $head > ($nak->{high} // 0);
            }

            $got += length $p;
            next if $got % 7;
        }

        next unless defined $first;

        $nak->control(3, 0, pack 'NN', $first | 0x80000000,
            $nak->{high});
        $asked += 24;
    }

    note("$asked bytes of demands make $got bytes");

    $slow->serve(0.05);

    wait_until(sub { !grep { $_->{ip} eq '127.0.3.2' } clients('well') }, 8);
    die "wrong: who takes nothing stays\n"
        if grep { $_->{ip} eq '127.0.3.2' } clients('well');

    $_->close() for $nak, $mute, $slow;
});

ok(more(5), 'the stream beside still goes on');

###############################################################################

# the end

$t->stop_daemon($publisher);

is($_->faults($clip) || $_->broken() || '', '', 'a player beside')
    for grep { $_->take() || 1 } @players;

$_->drop() for @players;

# what asks the hooks has opened some for itself

$_ += 6 for values %{$was->{fds}};

is(workers_back($t, $was), '', 'everything is given back');

$t->stop();
done_testing();

###############################################################################

# Inductions of one caller after the other, each from an address of its own.

sub flood {
    my ($port, $seconds) = @_;

    my $to = Socket::pack_sockaddr_in($port, Socket::inet_aton('127.0.0.1'));
    my $end = time() + $seconds;
    my $n = 0;

    while (time() < $end) {
        socket(my $s, Socket::PF_INET, Socket::SOCK_DGRAM, 0) or die;
        bind $s, Socket::pack_sockaddr_in(0, pack 'C4', 127, 10 + $n % 200,
            $n / 200 % 250, 1 + $n / 50000 % 250);
        send $s, handshake(socket => $n), 0, $to;
        sleep 0.01 if ++$n % 30 == 0;
    }
}

sub udp {
    my ($port, $from) = @_;

    return IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1',
        PeerPort => port($port), $from ? (LocalAddr => $from) : ())
        || die "no socket: $!\n";
}

sub handshake {
    my (%o) = (version => 4, enc => 0, ext => 2, seq => 1000, mss => 1500,
        window => 8192, type => INDUCTION, socket => 77, cookie => 0,
        to => 0, more => '', @_);

    return pack('NNNN', 0x80000000, 0, 1000, $o{to})
        . pack('NnnNNNNNN x16', @o{qw/ version enc ext seq mss window type
            socket cookie /}) . $o{more};
}

# Callers who have a cookie each; to is [ port, address ].

sub induced {
    my @s = map { { socket => udp($_->[0] // 10080, $_->[1]), cookie => 0 } }
        @_;

    for (1 .. 80) {
        my @left = grep { !$_->{cookie} } @s or last;

        send $_->{socket}, handshake(socket => 78), 0 for @left;
        sleep 0.05;

        for my $s (@left) {
            next unless IO::Select->new($s->{socket})->can_read(0);
            next unless defined recv $s->{socket}, my $in, 2000, 0;
            $s->{cookie} = unpack 'x44N', $in if length $in >= 64;
        }
    }

    my @none = map { $_->{socket}->sockhost() . ':' . $_->{socket}->sockport() }
        grep { !$_->{cookie} } @s;
    die "wrong: no answer to an induction: @none\n" if @none;

    return @s;
}

sub conclusion {
    my ($s, %o) = @_;

    my $more = $o{more} // ext(1, pack 'NNnn', 0x00010501, $o{flags} // 0xbf,
        120, 120);

    if (defined $o{id}) {
        my $id = $o{id} . "\0" x (-length($o{id}) % 4);
        $more .= ext(5, pack 'N*', unpack 'V*', $id);
    }

    return handshake(version => 5, ext => 5, type => CONCLUSION, socket => 78,
        cookie => $s->{cookie}, %o, more => $more);
}

sub conclude {
    my ($s, %o) = @_;
    send $s->{socket}, conclusion($s, %o), 0;
}

sub ext {
    my ($type, $data, $n) = @_;
    return pack('nn', $type, $n // length($data) / 4) . $data;
}

# The code of a refusal, 0, or undef.

sub answer {
    my ($s, $timeout) = @_;

    my $end = time() + ($timeout // 0.15);
    my $in;

    while (time() < $end) {
        next unless IO::Select->new($s->{socket})->can_read(0.05);
        next unless defined recv $s->{socket}, $in, 2000, 0;
        next unless length $in >= 64 && unpack('N', $in) == 0x80000000;

        my $type = unpack 'x36N', $in;

        return $type == CONCLUSION ? 0 : $type - 1000 if $type != INDUCTION;
    }

    return undef;
}

# What conclusions may say: a name, what is in it, and a port.

sub extensions {
    my $hs = ext(1, pack 'NNnn', 0x00010501, 0xbf, 120, 120);
    my $sid = sub { my $id = $_[0] . "\0" x (-length($_[0]) % 4);
        return $hs . ext(5, pack('N*', unpack 'V*', $id), $_[1]) };

    return (
        [ 'nothing', { more => '' } ],
        [ 'short', { more => substr $hs, 0, 9 } ],
        [ 'a length of 65535', { more => pack('nn', 1, 65535)
            . substr $hs, 4 } ],
        [ 'a length of 0', { more => pack('nn', 1, 0) x 300 } ],
        [ 'twice', { more => $hs x 80 } ],
        [ 'of the future', { more => ext(1, pack 'NNnn', 0xffffffff,
            0xffffffff, 65535, 65535) } ],
        [ 'of the past', { more => ext(1, pack 'NNnn', 0x00010000, 0, 0, 0),
            id => 'live/x' } ],
        [ 'stream mode', { flags => 0xff, id => '#!::r=live/x1,m=publish' } ],
        [ 'no TSBPD', { flags => 0x40, id => '#!::r=live/x2,m=publish' } ],
        [ 'message mode', { flags => 0, id => '#!::r=live/x3,m=publish' } ],
        [ 'a CONFIG that lies', { more => $sid->('live/x', 65535) } ],
        [ 'a CONFIG of 0', { more => $sid->('live/x', 0) } ],
        (map { [ "type $_", { more => $hs . ext($_, junk(128)) } ] }
            0, 2 .. 10, 255, 32768, 65535),
        (map { [ "type $_, empty", { more => $hs . ext($_, '') } ] }
            0, 2 .. 10),
        [ 'KMREQ', { more => $hs . ext(3, junk(104)), ext => 7,
            id => '#!::r=live/good,m=publish' }, 10081 ],
        [ 'KMREQ that begins well', { more => $hs . ext(3,
            pack('CnCNCCCCnCC', 0x12, 0x2029, 1, 0, 2, 0, 2, 0, 0, 4, 4)
            . junk(40)), ext => 7, id => '#!::r=live/good,m=publish' },
            10081 ],
        [ 'KMREQ of long keys', { more => $hs . ext(3,
            pack('CnCNCCCCnCC', 0x12, 0x2029, 3, 0, 2, 0, 2, 0, 0, 255, 255)
            . junk(200)), ext => 7, id => '#!::r=live/good,m=publish' },
            10081 ],
        [ 'a short passphrase', { id => '#!::r=live/short,m=publish' },
            10081 ],
        [ 'no passphrase', { id => '#!::r=live/good,m=publish' }, 10081 ],
        [ 'a filter', { more => $hs . ext(7, pack 'N*', unpack 'V*',
            'fec,cols:99999999,rows:-999999' . "\0" x 2),
            id => '#!::r=live/f1,m=publish' } ],
        [ 'a filter of some memory', { more => $hs . ext(7, pack 'N*',
            unpack 'V*', 'fec,cols:9999,rows:9999,x'),
            id => '#!::r=live/f2,m=publish' } ],
        [ 'a filter of another kind', { more => $hs . ext(7, pack 'N*',
            unpack 'V*', '../../../evil.so'), id => 'live/x' } ],
        [ 'congestion control', { more => $hs . ext(6, pack 'N*', unpack 'V*',
            'file'), id => '#!::r=live/x,m=publish' } ],
        [ 'a group', { more => $hs . ext(8, pack 'NN', 0x40000001,
            0x02000001), id => '#!::r=live/x,m=publish' } ],
        (map { [ 'id ' . substr(s/[^ -~]/?/gr, 0, 20), { id => $_ } ] }
            '', 'x' x 512, 'x' x 513, 'x' x 1300, "\x01" x 512, '../../x',
            '#!::r=live/../../etc/passwd,m=publish', '#!::' . '{' x 500,
            '#!{' x 170, '#!{' . '{}' x 250, '#!::' . ',' x 500,
            '#!::' . '=' x 500, '#!::r=' . '%00' x 160, 'live/%00x',
            "live/x\0y", '%' x 512, '%2' x 200, "\xff\xfe" x 200,
            "live/\xe2\x80\xae\xe2\x80\x8b", '?' x 512, ':' x 512,
            'publish:' x 60, 'srt://' x 80, '/' x 512, 'live/x?' . 'a=b&' x 120,
            '#!::r=live/x,' . 'm=publish,' x 50, 'live/x?tracks=v'
            . '9' x 400, '#!::h=' . 'a' x 300 . ',r=live/x,m=publish'),
        [ 'mss 0', { mss => 0, id => '#!::r=live/m0,m=publish' } ],
        [ 'mss 76', { mss => 76, id => '#!::r=live/m1,m=publish' } ],
        [ 'mss 60', { mss => 60, id => '#!::r=live/m5,m=publish' } ],
        [ 'mss 65535', { mss => 65535, id => '#!::r=live/m2,m=publish' } ],
        [ 'window 0', { window => 0, id => '#!::r=live/well,m=request' } ],
        [ 'window 1', { window => 1, id => '#!::r=live/well,m=request' } ],
        [ 'window -1', { window => 0xffffffff,
            id => '#!::r=live/well,m=request' } ],
        [ 'sequence', { seq => 0xffffffff, id => '#!::r=live/m3,m=publish' } ],
        [ 'socket 0', { socket => 0, id => '#!::r=live/m4,m=publish' } ],
        [ 'version 4', { version => 4, id => 'live/x' } ],
        [ 'version 6', { version => 6, id => 'live/x' } ],
        [ 'rendezvous', { type => 0, id => 'live/x' } ],
        [ 'agreement', { type => 0xfffffffe, id => 'live/x' } ],
        [ 'done', { type => 0xfffffffd, id => 'live/x' } ],
        [ 'a refusal', { type => 2000, id => 'live/x' } ],
        [ 'another flag', { ext => 0xffff, id => '#!::r=live/x4,m=publish' } ],
        [ 'no flag', { ext => 0, id => '#!::r=live/x5,m=publish' } ],
    );
}

# A packet of data with these bits of its message number.

sub message {
    my ($p, $bits, $data) = @_;

    $p->{msg} = $p->{msg} % 0x3ffffff + 1;
    CORE::send($p->{socket}, pack('NNNN', $p->{seq}, $bits | $p->{msg},
        $p->stamp(), $p->{peer}) . $data, 0);
    $p->{seq} = ($p->{seq} + 1) & 0x7fffffff;
}

# Control packets of all types, with bodies that make no sense.

sub nonsense {
    my ($p) = @_;

    my @n = (0, 1, 2, 999, 1000, 1001, 0x7fffffff, 0x80000000, 0xffffffff);

    for my $type (0 .. 9, 0x7ffe) {
        $p->control($type, $_, '') for @n;
        $p->control($type, 7, pack 'N*', ($_) x 7) for @n;
        $p->control($type, 7, junk($_)) for 1, 3, 4, 64, 400, 1456;
        last if $type == 4;
    }

    # everything is lost, in one range and in many

    $p->control(3, 0, pack 'NN', 0x80000000, 0x7fffffff);
    $p->control(3, 0, pack('NN', 0x80000000 | 1000, 2000) x 180);
    $p->control(3, 0, pack('N', 0xffffffff) x 360);

    # drop requests, and more of the handshake's

    $p->control(7, $_, pack 'NN', 0, 0x7fffffff) for @n;
    $p->control(7, 1, pack 'NN', 0x7fffffff, 0);
    $p->control(0x7fff, 0, junk(80)) for 1 .. 20;

    for my $sub (0 .. 10, 0xffff) {
        CORE::send($p->{socket}, pack('nnNNN', 0xffff, $sub, 0, $p->stamp(),
            $p->{peer}) . junk($_), 0) for 0, 4, 12, 80, 400;
    }

    CORE::send($p->{socket}, pack('NNNN', 0x80000000, 0, 0, $p->{peer})
        . junk($_), 0) for 0, 4, 48, 100;

    # packets for sockets of others

    CORE::send($p->{socket}, pack('nnNNN', 0x8005, 0, 0, 0, $p->{peer} + $_)
        . "\0" x 4, 0) for -50 .. -1, 1 .. 50;

    # from all over the window

    for my $seq (0, 1, 0x7fffffff, $p->{seq} + 8000, $p->{seq} + 30000,
        $p->{seq} - 30000)
    {
        CORE::send($p->{socket}, pack('NNNN', $seq & 0x7fffffff, 0xc0000001,
            0xffffffff, $p->{peer}) . "\x47" . "\0" x 1315, 0);
    }
}

# Times from everywhere.

sub jumps {
    my $out = '';

    for my $n (1 .. 30) {
        my $copy = $ts;
        my ($a, $b) = unpack 'NN', junk(8);

        for (my $i = 0; $i < length $copy; $i += 188) {
            my $flags = unpack 'x3C', substr $copy, $i, 4;

            next unless $flags & 0x20 && ord(substr $copy, $i + 5, 1) & 0x10;
            substr($copy, $i + 6, 6) = pack 'Nn', $a, $b & 0xffff;
        }

        $copy =~ s/(\0\0\1\xe0..[\x80-\x8f][\x80\xc0].)(.{5})/
            $1 . chr(0x21 | $b & 0x0e) . junk(4)/ges if $n % 2;
        $out .= $copy;
    }

    return $out;
}

# What workers have at most.

sub most {
    for my $pid ($t->workers()) {
        $most{threads} = max($most{threads} // 0,
            scalar(() = glob("/proc/$pid/task/*")));
        $most{fds} = max($most{fds} // 0, scalar(() = glob("/proc/$pid/fd/*")));
    }
}

sub call {
    my ($id, %o) = @_;

    my $port = port(delete $o{port} // 10080);

    return Test::Nginx::SRTPeer->new('127.0.0.1', $port, id => $id, %o);
}

sub clients {
    my ($name) = @_;

    return grep { !defined $name || $_->{name} eq $name }
        @{($t->api_get('/api/v1/clients/?count=1000') || {})->{clients}};
}

# The players beside have so many pictures more.

sub more {
    my ($more, $seconds) = @_;

    my %had = map { $_->{n} => $_->video() } @players;

    return wait_until(sub {
        $_->take() for @players;
        return !grep { $_->video() < $had{$_->{n}} + $more } @players;
    }, $seconds || 10);
}

# Half a second, with a keyframe.

sub ts {
    my $file = $t->testdir() . '/half.ts';

    system("ffmpeg -hide_banner -nostdin -v error -f lavfi -i "
        . "testsrc2=size=160x90:rate=25 -t 0.5 -c:v libx264 -g 25 -preset "
        . "ultrafast -f mpegts $file 2>$file.log");
    open my $fh, '<:raw', $file or die "no clip: $!\n";
    local $/;
    return scalar <$fh>;
}

###############################################################################
