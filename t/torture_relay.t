#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Relays in bad company: servers that are their own origin or forward to
# themselves, and in circles; origins that are none, say nothing, or send what
# is no media or never ends; players who ask for a thousand names that are
# nowhere, or by names that would say something else to the origin; a worker
# that is killed and an origin that is configured no more meanwhile.  The
# stream beside misses nothing, what is fetched from good ones comes.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::BadTS;
use Test::Nginx::Player;
use Test::Nginx::Torture;
use Test::RTMP;

use IO::Select;
use IO::Socket::INET;
use List::Util qw/ max /;
use Time::HiRes qw/ sleep time /;

use constant { INDUCTION => 1, CONCLUSION => 0xffffffff };

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live hls srt /);

my $srt = port(8036);

# origins that are no servers: one that hears and says nothing, one that sends
# something to whoever sends, one that shakes hands

my $mute = udp();
my $rude = udp();
my $odd = udp();

my $conf = <<'EOC';
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;
worker_shutdown_timeout 4s;

events { worker_connections 4096; }

media {
    zone            64m;
    republish_wait  500ms;
    idle_timeout    1s;
    publish_timeout 3s 3s;

    # the stream beside

    application live { publish_timeout 20s 20s; idle_timeout 10s; }

    application edge {
        origin srt://127.0.0.1:SRT/live/$media_stream;
        origin_idle 500ms;
        idle_timeout 10s;
        republish_wait 8s;
    }

    # loops

    application self { origin  srt://127.0.0.1:SRT; origin_idle 500ms; }
    application a    { origin  srt://127.0.0.1:SRT/b/$media_stream; }
    application b    { origin  srt://127.0.0.1:SRT/a/$media_stream; }
    application echo { forward srt://127.0.0.1:SRT; }
    application x    { forward srt://127.0.0.1:SRT/y/$media_stream; }
    application y    { forward srt://127.0.0.1:SRT/x/$media_stream; }

    # origins

    application none { origin srt://127.0.0.1:SRT/live/$media_stream; }
    application mute { origin srt://127.0.0.1:MUTE; }
    application rude { origin srt://127.0.0.1:RUDE; }
    application dead { origin srt://127.0.0.1:1; }
    application odd  { origin srt://127.0.0.1:ODD; origin_idle 500ms; }

    application id {
        origin srt://127.0.0.1:ODD?streamid=#!::r=id/$media_stream,t=$media_arg_t,m=request;
    }

    application args {
        origin srt://127.0.0.1:ODD/args/$media_stream;
    }

    application out {
        forward srt://127.0.0.1:ODD?streamid=#!::r=out/$media_stream,m=publish;
    }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
    server { listen 127.0.0.1:SRT udp reuseport; srt { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 reuseport;
        location / { flv_live; hls; }
        location /api/ { media_api write; }
        location /metrics { media_metrics; }
    }
}
EOC

$conf =~ s/\bSRT\b/$srt/g;
$conf =~ s/\bMUTE\b/$mute->sockport()/ge;
$conf =~ s/\bRUDE\b/$rude->sockport()/ge;
$conf =~ s/\bODD\b/$odd->sockport()/ge;

$t->write_file_expand('nginx.conf', $conf);
$t->run();

my $ids = $t->testdir() . '/ids';
my $odd_pid = $t->run_daemon(\&origin, $odd, $ids);
my $rude_pid = $t->run_daemon(\&rude, $rude);

my $well = healthy($t, flv => 2, rtmp => 2);
my $fetched = Test::Nginx::Player->flv('/edge/well.flv');

ok(goes_on(), 'a stream that is fetched');

###############################################################################

attack('loops', sub {
    my @s = map { ask($_) } qw{ /self/x.flv /a/x.flv /b/x.flv /b/y.flv
        /self/y.m3u8 /a/z.m3u8 };
    my @p = map { publisher($_, 'loop', 1000) } qw/ echo x y /;

    for my $n (1 .. 60) {
        for my $p (@p) {
            $p->video($n * 40, $n % 25 ? Test::RTMP::avc_inter($n, 300)
                : Test::RTMP::avc_key($n, 1000));
        }

        $fetched->take();
        sleep 0.02;
        discard(@p);
    }

    my @all = relays();

    note(scalar(@all) . ' relays, ' . calls() . ' calls');
    die "wrong: it grows: " . @all . " relays\n" if @all > 12;

    my @open = grep { !$_->{eof} } @p;
    die "wrong: a publisher lost his name to his echo\n" if @open < 3;

    $_->close() for @s;
    undef @p;
});

ok(goes_on(), 'others do not notice');

###############################################################################

# origins that are none; who asks is told, or waits his time

attack('origins', sub {
    my %s = map { $_ => ask("/$_.flv") } qw{ mute/x rude/x dead/x none/x
        odd/junk odd/bomb odd/endless odd/silent odd/leaves };

    play_until(sub { 0 }, 2);

    for my $name (sort keys %s) {
        my $in = '';
        sysread $s{$name}, $in, 100 if IO::Select->new($s{$name})->can_read(0);
        my $said = $in =~ m!^HTTP/\S+ (\d+)! ? $1 : 'waits';
        note("$name: $said");
        die "wrong: $name is there\n" if $said eq '200' && $name !~ /^(?:odd|rude)/;
    }

    $_->close() for values %s;
});

ok(goes_on(), 'others do not notice');

###############################################################################

# names that say more than a name

attack('names', sub {
    my @names = (
        'x,m=publish', 'x%2Cm=publish', 'x%2cm%3dpublish', 'x%252Cm=publish',
        'x%3Fm=publish', 'x%23!::m=publish', 'x%0D%0Am=publish',
        'x%00,m=publish', '%22x%22', 'x%20y', 'x=y', 'x&m=publish',
        'x%26passphrase=0123456789', 'x%25', 'x%', 'x%2', '%2e%2e%2f%2e%2e',
        'x;m=publish', "x'y", 'x\\y', 'x{y}', 'x' x 400, "\xc3\xa9",
        '%E2%80%AE', '$media_arg_t', 'srt://127.0.0.1:9',
    );

    my @s;

    for my $app (qw/ id args odd /) {
        push @s, map { ask("/$app/$_.flv") } @names;
    }

    push @s, map { ask("/$_") } map { ("id/t.flv?$_", "args/t.flv?$_",
        "odd/t.flv?$_") } 't=1,m=publish', 't=1%2Cm=publish', 'm=publish',
        't=1%0D%0A', 'r=other/name', 'h=other.example.com', 'u=root',
        't=%', 't=1&streamid=%23!::m=publish', 't=' . 'a' x 600;

    sleep 0.5;

    # by RTMP names go as they are

    for my $name (map { s/%(..)/chr hex $1/ger } @names) {
        my $c = eval { client('out', timeout => 0.15) } or next;
        eval { $c->publish($name) };
        push @s, $c->{socket};
    }

    play_until(sub { 0 }, 1);
    $_->close() for @s;
});

my @ids = do { open my $fh, '<', $ids; map { chomp; pack 'H*', $_ } <$fh> };

cmp_ok(scalar(@ids), '>', 20, 'the origin was asked');

is(join("\n", grep { /[,?]m=publish/ && !/^#!::r=out\// } @ids), '',
    'never for a publish');
is(join("\n", grep { my @m = /[,?][mrhus]=/g; @m > 1 } @ids), '',
    'no key that a player has brought');
is(join("\n", grep { /[\x00-\x1f\x7f]/ } @ids), '', 'no control characters');
is(join("\n", grep { !m{^#!::r=(?:id|args|odd|out)/} } @ids), '',
    'none of another app');

ok(goes_on(), 'others do not notice');

###############################################################################

# more names than there is room for, by players who do not stay

my ($relays, $threads, $began) = (0, 0, calls());

attack('a thousand names that are nowhere', sub {
    my @s;

    for my $n (1 .. 1200) {
        push @s, ask("/none/missing$n.flv");
        shift(@s)->close() if @s > 200;
        $fetched->take() if $n % 20 == 0;

        next if $n % 100;

        $relays = max($relays, scalar relays());
        $threads = max($threads, threads());
    }

    $_->close() for @s;
});

note("at most $relays relays, $threads threads in a worker, "
    . (calls() - $began) . ' calls');
cmp_ok($relays, '<=', 1024, 'relays have a bound');
ok(goes_on(15), 'others do not notice');
ok(none_of(qr/^none$/, 15), 'and nobody goes on with them');

my $late = Test::Nginx::Player->flv('/edge/well.flv');
ok(play_until(sub { $late->video() > 5 }, 10), 'what there is is fetched');

# one name, a thousand players

$began = calls();

attack('a thousand players of a name that is nowhere', sub {
    for my $n (1 .. 1000) {
        my $s = ask('/none/one.flv');
        $s->close() if $n % 10;
        $fetched->take() if $n % 20 == 0;
    }

    my @one = grep { $_->{app} eq 'none' } relays();
    die 'wrong: ' . @one . " relays\n" if @one > 1;
});

note(calls() - $began . ' calls');
cmp_ok(calls() - $began, '<', 20, 'is no storm of calls');

###############################################################################

# the worker that fetches dies

is(healthy_end($t), '', 'the stream beside lost nothing');

# two that are each other's origin may go on for some time, but not grow

cmp_ok(scalar(grep { $_->{way} eq 'pull' && $_->{app} =~ /^(?:self|a|b)$/ }
    relays()), '<=', 6, 'loops have not grown');

$_->drop() for $fetched, $late;
healthy($t);

my @p = map { Test::Nginx::Player->flv('/edge/well.flv') } 1 .. 4;

play_until(sub { !grep { $_->video() < 5 } @p }, 10);

my ($pid) = map { $_->{worker} } grep { $_->{app} eq 'edge' } relays();
my @clients = @{$t->api_get('/api/v1/clients/?count=1000')->{clients}};

SKIP: {
    skip 'the publisher is in that worker', 1
        if grep { $_->{worker} == $pid && $_->{publish}
            && $_->{type} !~ /^srt/ } @clients;

    my %there = map { $_->{pageUrl} => 1 } grep { $_->{worker} == $pid
        && $_->{pageUrl} } @clients;
    my @alive = grep { !$there{$_->{page}} } @p;

    skip 'all players are in that worker', 1 unless @alive;

    $t->kill_worker($pid);

    my @from = map { $_->mark() } @alive;

    ok(play_until(sub { !grep { $alive[$_]->video($from[$_]) < 5 }
        0 .. $#alive }, 10), 'another worker fetches it')
        or diag(join ' ', map { "$_->{app}/$_->{stream} $_->{state}" }
            relays());
}

healthy_end($t);
$_->drop() for @p;

# the origin is none any more

$conf =~ s/(application edge \{\s*)origin \S+;/$1/;
$t->write_file_expand('nginx.conf', $conf);
$t->reload();

ok(none_of(qr/^edge$/, 8), 'nobody plays it, and it is no origin any more');
is(http_status(http_get('/edge/then.flv', timeout => 12)), 404,
    'it is not asked for again');

$t->stop_daemon($_) for $odd_pid, $rude_pid;

$t->stop();
done_testing();

###############################################################################

sub udp {
    return IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
        || die "no socket: $!\n";
}

sub ask {
    my ($uri) = @_;

    return http_start("GET $uri HTTP/1.0\r\nHost: localhost\r\n\r\n")
        || die "wrong: no connection\n";
}

sub relays {
    return @{($t->api_get('/api/v1/relays?count=2000') || {})->{relays} || []};
}

# calls since the start

sub calls {
    return http_get('/metrics') =~ /^nginx_media_relay_calls_total (\d+)/m
        ? $1 : die "wrong: no metrics\n";
}

sub none_of {
    my ($app, $seconds) = @_;

    return play_until(sub {
        sleep 0.2;
        return !grep { $_->{way} eq 'pull' && $_->{app} =~ $app } relays();
    }, $seconds);
}

# the player of what is fetched from a good origin has more of it

sub goes_on {
    my ($seconds) = @_;

    my $from = $fetched->mark();

    return play_until(sub { $fetched->video($from) > 10 }, $seconds || 10);
}

sub threads {
    return max(map { scalar(() = glob("/proc/$_/task/*")) } $t->workers());
}

###############################################################################

# Sends something to whoever sends something.

sub rude {
    my ($s) = @_;

    for my $n (1 .. 5000) {
        my $from = recv $s, my $in, 2000, 0;

        send $s, $_, 0, $from for '', junk(3), junk(64), junk(1400),
            substr($in, 0, 16) . junk(48), pack('N', 0x80000000)
            . substr($in, 4) . junk($n % 300);
    }
}

# A listener that accepts everybody, writes down what he asks for and sends
# what the end of that name says.

sub origin {
    my ($s, $file) = @_;

    open my $fh, '>>', $file or die;
    $fh->autoflush(1);

    my %send = (junk => junk(1316 * 20) x 10, bomb => ts_bomb(),
        endless => ts_endless());
    my %known;

    while (1) {
        my $from = recv $s, my $in, 2000, 0;

        next unless defined $from && length $in >= 64
            && unpack('N', $in) == 0x80000000;

        my (undef, undef, undef, $seq, undef, undef, $type, $peer)
            = unpack 'NnnNNNNN', substr $in, 16;

        if ($type == INDUCTION) {
            send $s, answer($peer, 0x4a17, $seq, INDUCTION), 0, $from;
            next;
        }

        next unless $type == CONCLUSION;

        send $s, answer($peer, 1, $seq, CONCLUSION)
            . pack('nnNNnn', 2, 3, 0x00010501, 0xbf, 120, 120), 0, $from;

        next if $known{$from}++;

        my $id = sid(substr $in, 64);

        print $fh unpack('H*', $id), "\n";
        feed($s, $from, $peer, $seq, $id, \%send);
    }
}

sub feed {
    my ($s, $from, $peer, $seq, $id, $send) = @_;

    send($s, pack('nnNNN', 0x8005, 0, 0, 0, $peer) . "\0" x 4, 0, $from),
        return unless $id =~ m{^#!::r=odd/(junk|bomb|endless|silent)};

    my $data = substr $send->{$1} // '', 0, 1316 * 1500;

    for (my $i = 0; $i < length $data; $i += 1316) {
        send $s, pack('NNNN', $seq, 0xc0000000 | 1 + $i / 1316, 1000 + $i,
            $peer) . substr($data, $i, 1316), 0, $from;
        $seq = ($seq + 1) & 0x7fffffff;
        sleep 0.002 if $i / 1316 % 20 == 0;
    }
}

sub answer {
    my ($peer, $ext, $seq, $type) = @_;

    return pack('NNNN', 0x80000000, 0, 1000, $peer)
        . pack('NnnNNNNNN x16', 5, 0, $ext, $seq, 1500, 8192, $type, 4711,
            815);
}

sub sid {
    my ($ext) = @_;

    while (length $ext >= 4) {
        my ($type, $n) = unpack 'nn', $ext;
        my $data = substr $ext, 4, 4 * $n;

        return pack('V*', unpack 'N*', $data) =~ s/\0+$//r if $type == 5;
        last if length $ext <= 4 + 4 * $n;
        $ext = substr $ext, 4 + 4 * $n;
    }

    return '';
}

###############################################################################
