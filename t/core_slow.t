#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Players that do not read, and players that read slowly: the former are
# closed, the latter go on at newer keyframes, and a player beside them loses
# nothing.  Meanwhile the memory of the workers stays bounded.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;

use Time::HiRes qw/ time /;

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
    queue_length 2s;
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

# 4 Mbit/s, a keyframe every second

my $clip = clip($t, 'clip', duration => 4, size => '640x360', rate => '4000k');

cmp_ok(-s $clip->{file}, '>', 1500000, 'a clip of 4 Mbit/s');

encode($t, $clip, 'rtmp://127.0.0.1:' . port(1935) . '/live/x');
ok(wait_until(sub { live($t, 'x') }, 20), 'live');

my @healthy = map { (player('flv'), player('rtmp')) } 1 .. 2;

ok(play_until(sub { !grep { $_->video() < 50 } @healthy }), 'healthy ones');

my %before = map { $_ => memory($_) } $t->workers();

###############################################################################

# forty that never read, and four that read 40 KB a second

my %lazy = map { $_->{page} => $_ }
    map { (player('flv', 4096), player('rtmp', 4096)) } 1 .. 20;
my @slow = map { (player('flv', 16384), player('rtmp', 16384)) } 1 .. 2;

$_->pause() for values %lazy, @slow;
$_->{limit} = 4096 for @slow;

is(scalar(grep { exists $lazy{$_} } keys %{client_workers($t)}), 40,
    'players that never read');

my (%most, $next, $look, %jumped, %there);

$next = $look = time();

ok(play_until(sub {
    if (time() > $next) {
        $next += 0.1;
        $_->take() for grep { readable($_) } @slow;
    }

    return 0 if time() < $look;

    $look = time() + 0.3;

    for my $worker (keys %before) {
        my $more = memory($worker) - $before{$worker};
        $most{$worker} = $more if $more > ($most{$worker} || 0);
    }

    my $json = $t->api_get('/api/v1/clients/?count=1000') || {};

    %there = map { $_->{pageUrl} => $_ } @{$json->{clients}};
    $jumped{$_->{n}} = 1
        for grep { ($there{$_->{page}}{dropped} || 0) > 0 } @slow;

    return $json->{clients} && keys %jumped == @slow
        && !grep { exists $lazy{$_} } keys %there;
}, 35), 'those that never read are closed, slow ones jump');

is(scalar keys %jumped, 4, 'all slow ones jumped');
is(scalar(grep { exists $lazy{$_} } keys %there), 0, 'all others are closed');
is(scalar(grep { exists $there{$_->{page}} } @slow), 4,
    'slow ones are still there');

for my $worker (sort keys %before) {
    cmp_ok($most{$worker} || 0, '<', 16 * 1024,
        "worker $worker took no more than 16 MB");
}

###############################################################################

# slow ones that become fast

my %mark = map { $_->{n} => $_->video() } @slow;

delete $_->{limit} for @slow;
$_->resume() for @slow;

ok(play_until(sub { !grep { $_->video() < $mark{$_->{n}} + 75 } @slow }),
    'slow ones catch up');

for my $p (@slow) {
    is($p->faults($clip, jumps => 1), '',
        "player $p->{n} goes on at keyframes, in order");
    my $p2 = $p->video() && (grep { $_->{type} == 9 } $p->tags())[-1]{ms};
    my $h = (grep { $_->{type} == 9 } $healthy[0]->tags())[-1]{ms};
    cmp_ok(abs($h - $p2), '<', 3000, "player $p->{n} is live again");
}

for my $p (@healthy) {
    ok(!$p->{closed}, "player $p->{n} stays");
    is($p->faults($clip), '', "player $p->{n} lost nothing");
}

# what they held is given back

$_->drop() for values %lazy, @slow;
ok(wait_until(sub { arena($t)->{clients} == 5 }, 10), 'they are gone');

players_drop();
$t->stop_daemons();

done_testing();

###############################################################################

sub player {
    my ($kind, $rcvbuf) = @_;

    return $kind eq 'flv'
        ? Test::Nginx::Player->flv('/live/x.flv', rcvbuf => $rcvbuf)
        : Test::Nginx::Player->rtmp('live', 'x', rcvbuf => $rcvbuf);
}

sub readable {
    my ($p) = @_;
    return !$p->{closed} && IO::Select->new($p->{socket})->can_read(0);
}

# Memory of its own, in KB.

sub memory {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/status" or return 0;
    my ($kb) = map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$fh>;
    return $kb || 0;
}

###############################################################################
