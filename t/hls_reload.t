#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Players of low-latency HLS over reloads and the death of workers: who waits
# is answered, no part is missed, old workers go, and where the publisher's
# worker died the numbers go on with a discontinuity.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;

use IO::Select;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $PLAYERS = 40;

my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/)
    ->has_daemon('ffmpeg');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 128m;
    republish_wait 10s;

    application live { hls_part 300ms; hls_fragment 1s; hls_window 20s; }
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
my $uri = '/live/x.hls.0.m3u8';
my $pid = $t->publish("$rtmp/live/x");

ok(hls_live($uri, 3), 'live');

# reload

my $r = play(8, { 2 => \&hup, 4.5 => \&hup });

is($r->{failed}, '', 'reload: every answer is good');
is($r->{missed}, '', 'reload: no part is missed');
cmp_ok($r->{parts}, '>', $PLAYERS * 15, 'reload: parts');

my $owner = publisher_worker();

ok(wait_until(sub { ! grep { $_ != $owner } old() }, 10),
    'reload: old workers go, but the publisher\'s') or diag(join ' ', old());
is(unpack_disc($r->{last}), 0, 'reload: no discontinuity');

# those who wait while their worker is told to go

my $p = playlist($uri);
my @waits = map { start_get("$uri?_HLS_msn=" . ($p->{next_msn} + 1)) } 1 .. 40;

hup();

my @answers = map { end_get($_) } @waits;

is(scalar(grep { $_->{status} == 200 } @answers), 40,
    'who waits is answered by workers that go');

# workers die, not the publisher's

$owner = publisher_worker();

my @others = grep { $_ != $owner } $t->workers();

$r = play(6, { 1.5 => sub { kill_one($others[0]) },
    3 => sub { kill_one($others[1]) } });

is($r->{missed}, '', 'death of workers: no part is missed');
cmp_ok($r->{errors}, '<=', $PLAYERS * 2, 'death of workers: few errors');
is($r->{refused}, 0, 'death of workers: no other status than 200');

# the publisher's dies; the encoder comes back

$p = playlist($uri);
kill_one(publisher_worker());

sleep 1;
$pid = $t->publish("$rtmp/live/x");

ok(wait_until(sub { playlist($uri)->{last} > $p->{last} + 3 }, 20),
    'death of the publisher\'s worker: it goes on');

my $q = playlist($uri);

cmp_ok($q->{msn}, '<=', $p->{last}, 'what was there is still listed');
cmp_ok($q->{discontinuities} || 0, '>=', 1, 'with a discontinuity');
ok(!$q->{ended}, 'and no end');

my @gone = grep { get("/live/$_->{uri}")->{status} != 200 } @{$q->{segments}};

is(scalar @gone, 0, 'all segments are there');

$r = play(3, {});

is($r->{failed}, '', 'again: every answer is good');
is($r->{missed}, '', 'again: no part is missed');

$t->stop_daemon($pid);

done_testing();

###############################################################################

sub hup { kill 'HUP', $t->master(); return }

sub kill_one {
    my ($worker) = @_;
    $t->{_killed}{$worker} = 1;
    kill 'KILL', $worker;
}

sub old {
    my %new = map { $_ => 1 } $t->workers();
    return grep { !$new{$_} } $t->all_workers();
}

sub publisher_worker {
    my ($c) = grep { $_->{publish} }
        @{$t->api_get('/api/v1/clients/')->{clients}};
    return $c->{worker};
}

sub unpack_disc { return $_[0]->{discontinuities} || 0 }

# Players that ask for part after part for so many seconds; at given times
# something is done to the server.

sub play {
    my ($seconds, $do) = @_;

    my $start = time();
    my $until = $start + $seconds;
    my @todo = sort { $a <=> $b } keys %$do;
    my @players = map { { n => $_, seen => {} } } 1 .. $PLAYERS;
    my %r = (failed => '', missed => '', parts => 0, errors => 0,
        refused => 0);

    ask($_, playlist($uri)) for @players;

    while (grep { $_->{get} } @players) {

        if (@todo && time() - $start > $todo[0]) {
            $do->{shift @todo}->();
        }

        my %of = map { fileno($_->{get}{socket}) => $_ }
            grep { $_->{get} } @players;

        for my $s (IO::Select->new(map { $_->{get}{socket} } values %of)
            ->can_read(0.1))
        {
            my $player = $of{fileno $s};
            my $a = end_get(delete $player->{get});

            if ($a->{status} != 200) {
                $r{errors}++;
                $r{refused}++ if $a->{status};
                $r{failed} = "status $a->{status}, player $player->{n}";
                ask($player, $player->{last}) if time() < $until;
                next;
            }

            $player->{last} = $r{last} = parse($a->{body});
            $r{parts}++;

            my $part = "$player->{msn}.$player->{part}";

            $r{missed} ||= "part $part, player $player->{n}"
                unless $a->{body} =~ /\.hls\.\Q$part\E\./;

            ask($player, $player->{last}) if time() < $until;
        }
    }

    note("$r{parts} parts, $r{errors} errors $r{failed}");

    return \%r;
}

sub ask {
    my ($player, $p) = @_;

    @$player{'msn', 'part'} = @$p{'next_msn', 'next_part'};
    $player->{last} = $p;

    return unless defined $player->{msn};

    for my $try (1 .. 20) {
        $player->{get} = start_get("$uri?_HLS_msn=$player->{msn}"
            . "&_HLS_part=$player->{part}");
        return if defined $player->{get}{socket};
        sleep 0.05;
    }

    delete $player->{get};
}
