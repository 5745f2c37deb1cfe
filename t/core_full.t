#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# More media than the zone can hold: sources give up history, the log says so,
# streams that are there go on, a publish for which there is no room is told,
# and all memory comes back.

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

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;

events {
}

media {
    zone 8m;
    republish_wait 1s;
    idle_timeout 1s;
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
        listen 127.0.0.1:8080;

        location / {
            flv_live;
        }

        location /api/ {
            media_api;
        }
    }
}

EOF_CONF

$t->run();

my $size = arena($t)->{size};
my $url = 'rtmp://127.0.0.1:' . port(1935) . '/live/';

is($size, 8 * 1024 * 1024, 'zone');

###############################################################################

# 10 s of six streams of 5 Mbit/s are 37 MB; a GOP of each is 4

my $clip = clip($t, 'clip', duration => 4, size => '640x360', rate => '5000k');
my %encoder = map { $_ => encode($t, $clip, $url . $_) } qw/ a b c d /;

ok(wait_until(sub { !grep { !live($t, $_) } keys %encoder }, 20), 'four live');

my @players = map { (player('flv', $_), player('rtmp', $_)) }
    sort keys %encoder;

ok(play_until(sub { arena($t)->{free} <= $size / 8 }, 30),
    'the zone is full');

# two more: the others make room

$encoder{$_} = encode($t, $clip, $url . $_) for qw/ e f /;

ok(play_until(sub { !grep { !live($t, $_) } keys %encoder }),
    'there is room for two more');
ok(play_until(sub {
    $t->read_file('error.log')
        =~ /\[notice\].*media zone is full, .* all sources give up history/;
}), 'which the others gave');

push @players, map { (player('flv', $_), player('rtmp', $_)) } qw/ a e f /;
my %had = map { $_->{n} => $_->video() } @players;

ok(play_until(sub { !grep { $_->video() < $had{$_->{n}} + 100 } @players },
    30), 'all play on');

for my $p (@players) {
    is($p->{closed} ? 'closed' : $p->faults($clip), '',
        "player $p->{n} missed nothing");
}

players_drop();
$t->stop_daemons();

ok(wait_until(sub { !arena($t)->{used} }, 15), 'all memory comes back');

###############################################################################

# GOPs that never end: each keeps no more than its share, which is 1 MB at
# least, and of that nobody has anything to give

my $long = clip($t, 'long', duration => 24, gop => 1000, fps => 15,
    size => '640x360', rate => '5000k');

%encoder = map { $_ => encode($t, $long, $url . $_) }
    qw/ g h i j n o p q /;

ok(wait_until(sub { !grep { !live($t, $_) } keys %encoder }, 20),
    'eight streams with one keyframe each');

@players = map { (player('flv', $_), player('rtmp', $_)) } qw/ g h i j /;

# each has sent more than its share of the zone

ok(play_until(sub {
    my $json = $t->api_get('/api/v1/streams/') || {};
    return !grep { $_->{recv_bytes} < 1.5 * 1024 * 1024 }
        grep { $_->{publish}{active} } @{$json->{streams}};
}, 30), 'more than there is room for');

my $pub = Test::RTMP->new(port(1935))->connect('live');
my $m;

$pub->create_stream();
$pub->command_on($pub->{msid}, 'publish', 0, undef, 'k', 'live');
$m = $pub->status('NetStream.Publish.Rejected', 10);

ok($m, 'one more is refused') or diag(explain($pub->{seen}));
is($m && $m->{info}{level}, 'error', 'with an error');
like($t->read_file('error.log'),
    qr/\[warn\].*media zone is full, publish is refused.*"zone" in media\{\}/,
    'and one line in the log says what to do');
$pub->close();

%had = map { $_->{n} => $_->video() } @players;
ok(play_until(sub { !grep { $_->video() < $had{$_->{n}} + 15 } @players }),
    'the others play on');

for my $p (@players) {
    is($p->{closed} ? 'closed' : $p->faults($long), '',
        "player $p->{n} missed nothing");
}

# one goes, and there is room

$t->stop_daemon($encoder{g});
ok(play_until(sub { arena($t)->{free} > $size / 16 }), 'one goes');

$encoder{k} = encode($t, $clip, $url . 'k');
ok(play_until(sub { live($t, 'k') }), 'and another one may come');

my $p = player('flv', 'k');
ok(play_until(sub { $p->video() > 50 }), 'it plays');
is($p->faults($clip), '', 'in order');

players_drop();
$t->stop_daemons();

ok(wait_until(sub {
    my $a = arena($t);
    return !$a->{used} && !$a->{sources} && !$a->{clients};
}, 15), 'all memory comes back again');
is(arena($t)->{recoveries}, 0, 'nobody died');

done_testing();

###############################################################################

sub player {
    my ($kind, $name) = @_;

    return $kind eq 'flv' ? Test::Nginx::Player->flv("/live/$name.flv",
        name => $name)
        : Test::Nginx::Player->rtmp('live', $name, name => $name);
}

###############################################################################
