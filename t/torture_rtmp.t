#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What a hostile RTMP client can think of, beside a stream that must lose
# nothing: workers are the same afterwards, and hold no more than before.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use IO::Socket::INET;
use Socket qw/ SOL_SOCKET SO_LINGER SO_RCVBUF /;
use Test::Nginx;
use Test::Nginx::Player;
use Test::Nginx::Torture;
use Test::RTMP qw/ num bool amf0 /;
use Time::HiRes qw/ time sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live /);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;

events {
    worker_connections 1024;
}

media {
    zone            64m;
    republish_wait  1s;
    idle_timeout    1s;
    publish_timeout 4s 2s;

    application replace { publish_conflict replace; }
    application mix     { mix_correct on; }
    application raw     { time_jitter off; gop_cache off; }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen 127.0.0.1:%%PORT_1935%%;

        rtmp {
            timeout 4s;
            ping    1s;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location / {
            flv_live;
        }

        location /api/ {
            media_api;
        }
    }
}

EOF

$t->run();

my $port = port(1935);
my $was = workers_state($t);
my $size = arena($t)->{size};
my @kept;

healthy($t, rtmp => 4, flv => 3);

###############################################################################

attack('handshakes', sub {
    for my $n (0, 1, 2, 100, 1536, 1537, 2000, 3072, 3073, 5000) {
        raw("\x03" . junk($n)) for 1 .. 3;
        my $c = raw("\x03\0\0\0\1\x80\0\7\2" . junk($n));
        $c->closed(0.01);
    }

    raw(chr($_) . junk(1536)) for 0, 1, 2, 6, 255;
});

# handshakes that stop, and such with a byte a second: they are cut, and whoever
# comes meanwhile is served

@kept = map { raw("\x03") } 1 .. 150;
drip($t, 1935, 300, "\x03" . "\0" x 3072);

attack('new clients beside 300 with a byte a second', sub {
    my ($half, $most) = newcomers(20, sub {
        my $c = client('live', nodelay => 1);
        return $c->play('well') && $c->read_video(3);
    });

    note(sprintf 'to the first frame: %.1f ms for half of them, %.1f ms for '
        . 'the slowest', $half, $most);
    die "wrong: $half ms\n" if $half > 200;
});

attack('2000 quick connects', sub {
    for my $i (1 .. 2000) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $port, Timeout => 2) or next;
        syswrite $s, "\x03" . 'x' x ($i % 1500) if $i % 2;
        setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0))
            if $i % 3 == 0;
        close $s;
    }
});

attack('chunk sizes', sub {
    for my $n (0, 1, 2, 127, 0xffffff, 0x7fffffff, 0x80000000, 0xffffffff) {
        my $c = client('live');
        $c->send_message(1, 0, 0, pack('N', $n), csid => 2);
        $c->{out_chunk} = $n if $n && $n < 128;
        $c->command_on(1, 'publish', 0, undef, "size$n", 'live');
        $c->video(0, Test::RTMP::avc_config());
        $c->video(0, Test::RTMP::avc_key(1, 2000));
        discard($c);
    }
});

attack('headers', sub {
    raw_after("\xc3" . 'x' x 100);
    raw_after("\x83\0\0\0" . 'x' x 100);
    raw_after("\x02\0\0\0\0\0\4\2\0\0\0\0\0\0\0\3" x 100);
    raw_after("\x03\0\0\0\0\0\0\x14\0\0\0\0" x 10);
    raw_after(junk(5000)) for 1 .. 10;

    my $c = client('live');
    $c->send_message(20, 0, 0, amf0('getStreamLength', num(9), undef, 'x'),
        csid => $_) for 2, 3, 63, 64, 319, 320, 65599;
    die "wrong: no answer\n" unless $c->answer(9);
});

attack('16 MB on each of 400 chunk streams', sub {
    for my $k (1 .. 4) {
        my $c = client('live');
        $c->publish("announce$k");
        $c->write_raw(Test::RTMP::basic(0, 5 + $_) . "\0\0\0\xff\xff\xf0\x09"
            . "\1\0\0\0" . 'x' x 128) for 1 .. 400;
        die "wrong: not refused\n" unless $c->closed(3);
    }
});

# 500 MB that are really sent

attack('messages that are never finished', sub {
    my $message = Test::RTMP::basic(0, 6) . "\0\0\0\xff\xff\xf0\x09"
        . "\1\0\0\0" . 'x' x 65536 . ("\xc6" . 'x' x 65536) x 200;
    my @c;

    for my $k (1 .. 40) {
        my $c = client('live', chunk => 65536);
        $c->publish("huge$k");
        $c->write_raw($message);
        push @c, $c;
    }

    my ($most) = sort { $b <=> $a } map { anonymous($_) } $t->workers();

    note("at most $most KB in a worker");
    die "wrong: $most KB in a worker\n"
        if $most > 300000 && !$t->has_module('sanitizer');

    push @kept, @c[0 .. 5];
});

attack('resets in the middle of a message', sub {
    for my $round (1 .. 60) {
        my $p = publisher('live', 'cut', 5000);
        my $v = client('live');
        my $picture = $p->message(9, 1, 40, Test::RTMP::avc_inter(2, 50000),
            csid => 6);

        $v->play('cut', expect => 'nothing');
        $p->write_raw(substr $picture, 0, 1 + $round * 800);
        $v->closed(0.002);

        for my $c ($round % 3 ? $p : (), $round % 3 < 2 ? $v : ()) {
            setsockopt($c->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
        }

        $_->close() for $round % 2 ? ($p, $v) : ($v, $p);
    }
});

###############################################################################

my %bomb = (
    nested    => "\x03" . "\0\1a\x03" x 10000,
    arrays    => "\x0a\0\0\0\1" x 10000,
    ecma      => "\x08\xff\xff\xff\xff" . "\0\1a\x08\xff\xff\xff\xff" x 5000,
    count     => "\x0a\xff\xff\xff\xff",
    string    => "\x0c\xff\xff\xff\xff" . 'x' x 100,
    xml       => "\x0f\xff\xff\xff\xff",
    reference => "\x07\xff\xff" x 1000,
    typed     => "\x10\0\5aaaaa\0\1a" x 1000,
    switch    => "\x11" x 500,
    amf3      => "\x11" . "\x09\x03\x01" x 15000,
    traits    => "\x11\x0a\xff\xff\xff\xff" . "\x03a" x 1000,
    vector    => "\x11\x0d\xff\xff\xff\xff\x00",
    junk      => junk(3000),
);

attack('AMF', sub {
    for my $name (sort keys %bomb) {

        for my $command (qw/ connect createStream publish play play2 pause
            deleteStream receiveAudio foo /)
        {
            my $c = client($command eq 'connect' ? undef : 'live',
                chunk => 65536);
            my $type = length($name) % 2 ? 20 : 17;
            my $body = ($type == 17 ? "\0" : '') . amf0($command, num(5));
            $c->send_message($type, 1, 0, $body . $bomb{$name});
            $c->send_message($type, 1, 0, $body . "\5" . $bomb{$name});
            $c->closed(0.002);
        }

        my $c = publisher('live', "amf-$name");
        $c->send_message($_, 1, 0, ($_ == 15 ? "\0" : '')
            . amf0('@setDataFrame', 'onMetaData') . $bomb{$name}, csid => 5)
            for 18, 15;
        discard($c);
    }
});

attack('commands that are cut off', sub {
    for my $command (qw/ connect publish play /) {
        my $body = amf0($command, num(3), { app => 'live', a => [num(1)],
            tcUrl => 'rtmp://x/live' }, 'name', num(-2), bool(1));

        for my $n (0 .. length($body) - 1) {
            my $c = client($command eq 'connect' || $n % 8 ? undef : 'live');
            $c->send_message(20, 1, 0, substr($body, 0, $n));
            $c->closed(0.001);
        }
    }
});

attack('commands in any order', sub {
    my $c = client();
    $c->command_on(1, 'publish', 1, undef, 'early', 'live');
    die "wrong: publish before connect\n" unless $c->closed(3);

    $c = client();
    $c->command_on(1, 'play', 1, undef, 'well');
    die "wrong: play before connect\n" unless $c->closed(3);

    $c = client('live');
    $c->connect('live') for 1 .. 5;
    $c->command('createStream', $_, undef) for 1 .. 3000;
    discard($c);
    $c->command('deleteStream', 0, undef, num($_))
        for -1, 0, 1, 5, 32, 1e9, 1e300;
    $c->command_on($_, 'play', 0, undef, 'any') for 0, 1, 7, 8, 31;
    discard($c);

    # publishes and plays, and plays what it publishes

    $c = client('live');

    for my $i (1 .. 100) {
        $c->command_on(1, 'play', 0, undef, $i % 2 ? 'self' : 'well');
        $c->command_on(1, 'publish', 0, undef, 'self', 'live');
        $c->video($i * 40, Test::RTMP::avc_config());
        $c->video($i * 40, Test::RTMP::avc_key($i));
        $c->command_on(1, 'closeStream', 0, undef) if $i % 3 == 0;
        discard($c) if $i % 10 == 0;
    }

    # all want one name, and go on while they wait for it

    for my $i (1 .. 20) {
        $c = client();
        $c->command('connect', 1, { app => 'replace', tcUrl => 'rtmp://x/' });
        $c->command_on(1, $_, 0, undef, 'wanted', 'live')
            for qw/ publish play publish closeStream publish /;
        $c->video(0, Test::RTMP::avc_key(1));
        push @kept, $c if $i % 2;
    }
});

attack('storms of players', sub {
    my $p = publisher('live', 'storm', 100000);
    my @players = map { client('live') } 1 .. 4;

    for my $i (1 .. 100) {
        $p->video($i, Test::RTMP::avc_inter($i, 100000));
        discard($p) if $i % 20 == 0;
    }

    $_->play('storm', expect => 'nothing') for @players;

    for my $round (1 .. 20) {
        for my $v (@players) {
            $v->command_on(1, $_ % 2 ? 'receiveVideo' : 'receiveAudio', 0,
                undef, bool($_ % 3)) for 1 .. 30;
            $v->command_on(1, 'pause', 0, undef, bool($_ % 2), num(0))
                for 1 .. 10;
        }

        $p->video(4000 + $round * 40, $round % 5
            ? Test::RTMP::avc_inter($round, 200000)
            : Test::RTMP::avc_key($round, 200000));
        $p->audio(4000 + $round * 40, Test::RTMP::aac_frame($round));

        # half of them read

        discard($p, @players[0, 1]);
    }
});

attack('names', sub {
    for my $name ('../../etc/passwd', '%2e%2e/%2e%2e/x', "a\0b", "a\r\nb: c",
        'x' x 4096, 'a/' x 300, 'a.hls.b', '..', '/', '', '?vhost=../x',
        "\xff\xfe", 'a' x 256, 'a' x 257, 'a?x=' . 'y' x 5000, '{"a":1}',
        'a...vhost...b', "\x01\x7f", '%n%s%d', '[app]')
    {
        my $c = client('live', chunk => 65536);
        $c->command_on(1, 'publish', 0, undef, $name, 'live');
        $c->video(0, Test::RTMP::avc_config());
        $c->video(0, Test::RTMP::avc_key(1));
        $c->{timeout} = 0.5;
        $c->call('getStreamLength', undef, 'x');

        # the API's JSON is well with it

        die "wrong: streams with $name\n"
            unless ref $t->api_get('/api/v1/streams/');
        die "wrong: clients with $name\n"
            unless ref $t->api_get('/api/v1/clients/');

        $c = client(undef, chunk => 65536);
        $c->command('connect', 1, { app => $name,
            tcUrl => "rtmp://x/$name" });
        $c->command_on(1, 'play', 0, undef, $name);
        discard($c);
    }
});

###############################################################################

attack('metadata and configurations', sub {
    my $c = publisher('live', 'meta');
    my $v = client('live');

    $v->play('meta', expect => 'nothing');
    $c->data(0, '@setDataFrame', 'onMetaData', { a => 'x' x 1000000 });

    for my $i (1 .. 1000) {
        my $config = Test::RTMP::avc_config();
        substr($config, -2) = pack('n', $i);
        $c->data($i, '@setDataFrame', 'onMetaData', { a => 'y' x $i });
        $c->video($i, $config);
        $c->video($i, Test::RTMP::avc_key($i));
        discard($c, $v) if $i % 50 == 0;
    }

    $c->video(9000, $_ . junk(65000))
        for "\x17\0\0\0\0", "\x90hvc1", "\x90av01";
    $c->audio(9000, "\xaf\0" . junk(65000));

    # tracks: one, many, many of different codecs

    for my $kind (0 .. 2) {
        my $b = chr(0x96) . chr($kind << 4 | 1) . ($kind == 2 ? '' : 'hvc1');
        $b .= ($kind == 2 ? 'avc1' : '') . chr($_)
            . ($kind ? "\0\0\x14" : '') . junk(20) for 0 .. 254;
        $c->video(9000, $b);
    }

    $c->video(9000, chr(0x80 | $_ % 128) . junk($_ % 60)) for 1 .. 1000;
    $c->audio(9000, chr(0x90 | $_ % 16) . junk($_ % 60)) for 1 .. 1000;
    discard($c, $v);
});

attack('timestamps', sub {
    my @times = (0, 0xffffffff, 0x7fffffff, 0x80000000, 1, 0xffffff, 5);

    for my $app (qw/ live mix raw /) {
        my $c = publisher($app, 'wild');
        my $v = client($app);

        $v->play('wild', expect => 'nothing');

        for my $i (1 .. 700) {
            $c->video($times[$i % @times], $i % 7
                ? Test::RTMP::avc_inter($i) : Test::RTMP::avc_key($i));
            $c->audio($times[$i * 5 % @times], Test::RTMP::aac_frame($i));
            discard($c, $v) if $i % 50 == 0;
        }

        $c->video(10, "\x17\1" . $_ . Test::RTMP::avc_nal(0x65, 1))
            for "\x7f\xff\xff", "\x80\0\0";
        $c->video(10, '');
        discard($c, $v);
    }
});

attack('large frames and aggregates', sub {
    my $c = publisher('live', 'large');
    my $sub = "\x08\0\0\2\0\0\0\0\0\0\0\xaf\1\0\0\0\x0d";

    $c->set_chunk_size(0xffffff);

    for my $i (1 .. 2) {
        $c->video($i * 40, Test::RTMP::avc_key($i, 15000000));
        $c->send_message(22, 1, $i * 40, $sub x 500000, csid => 6);
        discard($c);
    }

    substr($sub, 0, 1) = "\x16";
    $c->send_message(22, 1, 0, $sub x 1000);
    $c->send_message(22, 1, 0, "\x09\xff\xff\xff" . 'x' x 100);
    discard($c);
});

# a clock that stands still: the queue of a player is bounded all the same

attack('time that does not pass', sub {
    my $c = publisher('live', 'still', 100000);
    my @stuck = map { client('live') } 1 .. 4;

    $_->play('still', expect => 'nothing') for @stuck;

    for my $i (1 .. 1500) {
        $c->video(0, Test::RTMP::avc_inter($i, 100000));
        discard($c) if $i % 50 == 0;
    }

    my ($most) = sort { $b <=> $a } map { anonymous($_) } $t->workers();

    note("at most $most KB in a worker");
    die "wrong: $most KB in a worker\n"
        if $most > 100000 && !$t->has_module('sanitizer');
});

###############################################################################

# one client cannot take all names, nor all of the zone

my $m;

attack('names of one client', sub {
    my $c = client('live');

    for my $i (1 .. 3000) {
        $c->command_on(1, 'play', 0, undef, "wait$i");
        discard($c) if $i % 100 == 0;
    }

    $m = publisher('live', 'after')->call('getStreamLength', undef, 'x');
});

ok($m, 'another one may publish');

attack('publishes of one client', sub {
    my $c = client('live');

    for my $i (1 .. 600) {
        $c->command_on(1, 'publish', 0, undef, "one$i", 'live');
        $c->video(0, Test::RTMP::avc_config());
        $c->video(0, Test::RTMP::avc_key(1));
        discard($c) if $i % 50 == 0;
    }

    $m = client('live')->publish('another');
});

ok($m, 'another one may publish then');

attack('GOPs without an end', sub {
    my @hogs = map { publisher('live', "hog$_") } 1 .. 5;

    for my $i (1 .. 180) {
        $_->video($i, Test::RTMP::avc_inter($i, 100000)) for @hogs;
        discard(@hogs) if $i % 20 == 0;
    }

    cmp_ok(arena($t)->{free}, '<', $size / 2, 'the zone is taken');
    $m = client('live')->publish('third');
});

ok($m, 'and another one finds room');

###############################################################################

# what clients say, with bytes that are changed, left out and doubled: this one,
# and those that are installed, ffmpeg's own code and librtmp

my %said = (own => own_session());
my $clip = $t->testdir() . '/clip.flv';

recorded('ffmpeg publishes', qw/ ffmpeg -v error -nostdin -re -i /, $clip,
    qw/ -c copy -f flv /, 'URL/m');
recorded('ffmpeg plays', qw/ ffmpeg -v error -nostdin -t 1 -i /, 'URL/well',
    qw/ -c copy -f null - /);
recorded('librtmp plays', qw! rtmpdump -q -B 1 -o /dev/null --live -r !,
    'URL/well');
recorded('librtmp publishes', qw/ gst-launch-1.0 -q filesrc /,
    "location=$clip", qw/ ! rtmpsink /, 'location=URL/m live=1');
recorded('GStreamer publishes', qw/ gst-launch-1.0 -q filesrc /,
    "location=$clip", qw/ ! flvdemux ! h264parse ! flvmux streamable=true !
    rtmp2sink /, 'location=URL/m');

attack('500 mutated sessions', sub {
    my @said = @said{sort keys %said};

    for my $round (1 .. 500) {
        my $x = raw(mutate($said[$round % @said], 3073, int($round / @said)));
        $x->closed(0.002);
    }
});

###############################################################################

my $slow = grep { $_->closed(0.001) } @kept[0 .. 149];
is($slow, 150, 'handshakes that do not go on are cut');

my ($cut, $after) = drip_end($t, 1935);
is($cut, 300, "with a byte a second too, the last one after $after s");

$_->close() for @kept;

is(healthy_end($t), '', 'the stream beside lost nothing');
is(workers_back($t, $was), '', 'all is given back');
unlike($t->read_file('error.log'), qr/\[(crit|alert|emerg)\]|on signal/,
    'nothing worse in the log');

done_testing();

###############################################################################

sub raw {
    my ($data) = @_;

    my $c = client(undef, handshake => 'none');
    $c->write_raw($data);
    return $c;
}

sub raw_after {
    my ($data) = @_;

    my $c = client();
    $c->write_raw($data);
    $c->closed(0.01);
}

# what this client says

sub own_session {
    my $c = bless { out_chunk => 128, msid => 1 }, 'Test::RTMP';
    my $said = "\x03" . "\0" x 3072
        . $c->message(20, 0, 0, amf0('connect', num(1), { app => 'replace',
            tcUrl => 'rtmp://127.0.0.1/replace' }))
        . $c->message(20, 0, 0, amf0('createStream', num(2), undef))
        . $c->message(20, 1, 0, amf0('publish', num(3), undef, 'm', 'live'))
        . $c->message(1, 0, 0, pack('N', 4096), csid => 2);

    $c->{out_chunk} = 4096;
    $said .= $c->message(18, 1, 0, amf0('@setDataFrame', 'onMetaData',
        { width => num(64), encoder => 'x' }), csid => 5)
        . $c->message(9, 1, 0, Test::RTMP::avc_config(), csid => 6)
        . $c->message(8, 1, 0, Test::RTMP::aac_config(), csid => 4);
    $said .= $c->message(9, 1, $_ * 40, Test::RTMP::avc_key($_, 900),
        csid => 6, fmt => $_ % 2, delta => 40) . $c->message(8, 1, $_ * 40,
        Test::RTMP::aac_frame($_), csid => 4) for 1 .. 20;

    return $said . $c->message(20, 1, 0, amf0('play', num(4), undef, 'm'));
}

# what a program says, where it is installed; the beginning of it is enough

sub recorded {
    my ($name, $program, @args) = @_;

    return unless grep { -x "$_/$program" } split /:/, $ENV{PATH};
    return if "@args" =~ /(rtmp2?sink)/ && system("gst-inspect-1.0 --exists $1"
        . ' >/dev/null 2>&1');

    clip($t, 'clip', duration => 2) unless -f $clip;

    my $said = record($t, 1935, sub {
        my ($port) = @_;

        s!URL!rtmp://127.0.0.1:$port/live! for @args;

        my $pid = $t->run_daemon('timeout', 4, $program, @args);
        $t->wait_daemon($pid, 12);
    });

    note("$name: " . length($said) . ' bytes');
    $said{$name} = substr $said, 0, 60000 if length $said > 3073 + 200;
}

# private memory of a process in KB

sub anonymous {
    open my $fh, '<', "/proc/$_[0]/status" or return 0;
    local $/;
    return <$fh> =~ /RssAnon:\s+(\d+)/ ? $1 : 0;
}

###############################################################################
