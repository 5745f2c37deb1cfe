package Soak;

# Copyright (C) the nginx media suite authors

# What the long tests share: a server, the load tool in the background, and
# what is known of the server's processes.
#
#     my ($t, %at) = server();
#     my $load = load($t, @{$at{args}}, '--rtmp-players', 1000, '--strict');
#     ...
#     my $r = result($t, $load);
#     whole('all players', $r);
#
# TEST_SOAK says how long each test measures, in seconds (60 by default); what
# it takes to connect players and to end comes on top.  No test fails for a
# figure that depends on the machine: such figures are only shown, with note().

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ soak server load result whole figures arena idle
    process processes total report /;

use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx;


my $TOOL;


sub soak { return $ENV{TEST_SOAK} || 60 }


# An nginx with RTMP, HTTP-FLV and the API, and the arguments that tell the
# load tool where it is.  Options: globals, media, stream, http: more lines;
# reuseport => 0, daemon => 'on', start => 0.
#
# A publisher may be silent for long: the load tool's publish nothing while
# players catch up at the end, which takes its time on a busy machine.

sub server {
    my (%o) = @_;

    my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/);

    $t->log_level($o{level} || 'notice') if !$ENV{TEST_NGINX_LOG_LEVEL};

    my $daemon = $o{daemon} || 'off';
    my $workers = $o{workers} || 4;
    my $listen = ' backlog=4096'
        . (($o{reuseport} // 1) ? ' reuseport' : '');

    my %more = map { $_ => $o{$_} // '' } qw/ globals media stream http /;

    $t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon $daemon;
worker_processes $workers;
worker_rlimit_nofile 16384;
$more{globals}
events { worker_connections 8192; }
media {
    idle_timeout 1s;
    publish_timeout 120s 120s;
    $more{media}
}
stream {
    server { listen 127.0.0.1:8035$listen; rtmp { $more{stream} } }
}
http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080$listen;
        location / { flv_live; }
        location /api/ { media_api; }
        $more{http}
    }
}
END_OF_CONF

    $t->run() if $o{start} // 1;

    return ($t, '--rtmp', '127.0.0.1:' . port(8035),
        '--http', '127.0.0.1:' . port(8080));
}


# The load tool, beside everything else; gives its pid.

sub load {
    my ($t, @args) = @_;

    $TOOL //= build($t);

    note("ngx_media_load @args");

    return $t->run_daemon($TOOL, '--quiet', @args);
}


sub build {
    my ($t) = @_;

    my $dir = $t->testdir() . '/bench';
    my $out = `$Test::Nginx::ROOT/t/bench/build.sh $dir 2>&1`;

    die "no load tool: $out\n" if $?;

    return "$dir/ngx_media_load";
}


# What it says when it ends, with its exit status.

sub result {
    my ($t, $pid, $timeout) = @_;

    my $status = $t->wait_daemon($pid, $timeout || soak() + 300);
    my $text = $t->daemon_log($pid);
    my %r = map { /^(\w+)=(.*)/ ? ($1, $2) : () } split /\n/, $text;

    $r{status} = defined $status ? $status >> 8 : 'none';
    $r{said} = join '; ', grep { !/^\w+=/ } split /\n/, $text;

    return \%r;
}


# Every frame, once, in order and unchanged, to each player.

sub whole {
    my ($name, $r, %o) = @_;

    my @bad = map { "$_=$r->{$_}" } grep { $r->{$_} && !$o{$_} }
        qw/ gaps gap_frames tail_missing dups disorder corrupt dirty
        early_inter ts_back early_close refused protocol no_key pub_closed /;

    push @bad, "$r->{live} of $r->{players} players"
        if ($r->{live} // -1) != ($r->{players} // -2);
    push @bad, $r->{said} if $r->{said};

    is(join(' ', @bad), '', "$name: every frame to each player");
    cmp_ok($r->{frames} || 0, '>', 0, "$name: frames");
    figures($name, $r);
}


sub figures {
    my ($name, $r) = @_;

    note(sprintf '%s: %s players, %s frames, %.1f GB, timestamps off by '
        . '%s ms at most, latency ms p50 %s p99 %s max %s, first keyframe '
        . 'p50 %s p99 %s', $name, $r->{live} // '?', $r->{frames} // '?',
        ($r->{bytes} || 0) / 1e9, $r->{ts_drift_ms} // '?',
        map { $_ // '?' } @$r{qw/ latency_p50_ms latency_p99_ms
        latency_max_ms first_p50_ms first_p99_ms /});
    note(sprintf '%s: server %s cores, %s us per player-second, tool %s '
        . 'cores, others %s cores', $name, map { $_ // '?' } @$r{qw/
        server_cpu cpu_us_per_player_s tool_cpu others_cpu /})
        if $r->{server_procs};
}


# The accounts of the media zone.

sub arena {
    my ($t) = @_;

    my $json = $t->api_get('/api/v1/summaries') || {};

    return ($json->{data} || {})->{arena} || {};
}


# Nobody is there, and all memory of the zone is free.

sub idle {
    my ($t, $name) = @_;

    my $a;

    wait_until(sub {
        $a = arena($t);
        return defined $a->{used} && !$a->{clients} && !$a->{sources}
            && !$a->{used};
    }, 60);

    is_deeply({ map { $_ => $a->{$_} } qw/ clients sources used / },
        { clients => 0, sources => 0, used => 0 },
        "$name: nobody is left and nothing is used");
    is($a->{free}, $a->{size}, "$name: all of the zone is free");
}


# One process: open files, KB of its own memory and of the zone it has touched.

sub process {
    my ($pid) = @_;

    my @fds = glob("/proc/$pid/fd/*");
    my %p = (pid => $pid, fds => scalar @fds, rss => 0, own => 0, shared => 0);

    open my $fh, '<', "/proc/$pid/status" or return \%p;

    while (<$fh>) {
        $p{rss} = $1 if /^VmRSS:\s+(\d+)/;
        $p{own} = $1 if /^RssAnon:\s+(\d+)/;
        $p{shared} = $1 if /^RssShmem:\s+(\d+)/;
    }

    return \%p;
}


sub processes {
    my ($t) = @_;
    return map { process($_) } $t->all_workers();
}


sub total {
    my ($what, @those) = @_;
    my $n = 0;

    $n += $_->{$what} for @those;

    return $n;
}


sub report {
    my ($name, @those) = @_;

    note(sprintf '%s: %d workers, open files %s, own memory %s KB, with '
        . 'zone and code %s KB', $name, scalar @those,
        map { my $what = $_; join '+', map { $_->{$what} } @those }
        qw/ fds own rss /);
}


1;
