#!/usr/bin/perl

# Copyright (C) the nginx media suite authors
#
# What SRT publishers and players cost this server, against the floor: a bare
# program with libsrt that reads and throws away, or sends the same bytes to
# all (srt_load.c).  The floor stands twice: with one UDP port for all callers,
# and with a port, and so threads of libsrt, for each of them as the server
# has.
#
# run.pl [--long] [--duration S] [--rounds N] [--publishers NxKBIT,...]
#        [--players N,...] [--workers N,...] [--no-floor] [--modules DIR]
#        [--objs DIR] [--nginx FILE] [--threads] [--perf FILE]
#
# CPU is run time of all threads of the server (/proc/PID/task/TID/schedstat),
# so that others on the machine change little in it; per packet of 1316 bytes.
# --threads tells what the kinds of threads take of it: worker (or the floor's
# first one), `epoll' our thread that waits for sockets, the rest is libsrt's.
# --perf writes what `perf record` sees of the server's workers into a file.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Path qw/ make_path remove_tree /;
use Getopt::Long;
use IO::Socket::INET;
use POSIX qw/ WNOHANG /;
use Time::HiRes qw/ sleep time /;

my $here = abs_path(dirname(__FILE__));
my %o = (duration => 5, rounds => 1, publishers => '100x1000',
    players => '50', workers => '1,4', floor => 1, nginx => '/usr/sbin/nginx',
    objs => "$here/../../../objs");

GetOptions(\%o, 'long', 'duration=f', 'rounds=i', 'publishers=s', 'players=s',
    'workers=s', 'floor!', 'threads', 'objs=s', 'modules=s', 'nginx=s', 'perf=s')
    or die "see the head of $0\n";

if ($o{long}) {
    $o{duration} = 15 if $o{duration} == 5;
    $o{publishers} = '100x1000,20x5000' if $o{publishers} eq '100x1000';
    $o{players} = '10,50,100' if $o{players} eq '50';
}

make_path("$o{objs}/bench/srt");
my $objs = abs_path($o{objs});
my $modules = abs_path($o{modules} // $o{objs});
my $work = "$objs/bench/srt";
my $tool = "$work/srt_load";
my (%running, %files);

$SIG{INT} = $SIG{TERM} = sub { exit 1 };
END { my $status = $?; stop($_) for keys %running; $? = $status; }

$| = 1;

my $cc = $ENV{CC} || 'cc';

system("$cc -O2 -g -Wall -Wextra -Werror -o $tool $here/srt_load.c -lsrt") == 0
    or die "the load tool does not build\n";

my ($load) = slurp('/proc/loadavg') =~ /^(\S+)/;
printf "SRT, %g s a run, load %s; CPU of the server\n", $o{duration}, $load;

my @servers = ($o{floor} ? ('floor', 'floor, own ports') : (),
    map { "$_ worker" . ($_ > 1 ? 's' : '') } split /,/, $o{workers});

publishers(split /x/) for split /,/, $o{publishers};
players($_) for split /,/, $o{players};


sub publishers {
    my ($n, $rate) = @_;

    head("$n publishers of $rate kbit/s", '% of a core each');

    rows($n, sub {
        my ($server) = @_;
        my ($pid, $port) = start($server, 'receive', $n, $rate);

        return run($pid, $n, [ 'publish', $port, '--n', $n,
            '--ports', $server eq 'floor, own ports' ? $n : 1,
            clip($rate) ]);
    });
}


sub players {
    my ($n) = @_;
    my $rate = 1000;

    head("$n players of a stream of $rate kbit/s", '% of a core each');

    rows($n, sub {
        my ($server) = @_;
        my ($pid, $port) = start($server, 'serve', $n, $rate);
        my $publisher;

        if ($server =~ /worker/) {
            $publisher = spawn("$work/publisher.log", $tool, 'publish', $port,
                '--seconds', 300, clip($rate));
            ready("$work/publisher.log", $publisher, 1);
            sleep 1.2;
        }

        my $r = run($pid, $n, [ 'play', $port, '--n', $n, '--stream',
            'live/bench0', '--ports',
            $server eq 'floor, own ports' ? $n : 1 ]);

        stop($publisher) if $publisher;

        return $r;
    });
}


# Each server in turn, round by round; the median of them.

sub rows {
    my ($n, $code) = @_;
    my (%of, $floor);

    for my $round (1 .. $o{rounds}) {
        push @{$of{$_}}, $code->($_) for @servers;
    }

    for my $server (@servers) {
        my @r = sort { $a->{us} <=> $b->{us} } @{$of{$server}};
        my $r = $r[$#r / 2];

        $floor ||= $r->{us};

        printf "  %-18s %9.1f %9.2f %9.2f %8.2f %8d %9d %7d %6.1f  %s\n",
            $server, $r->{us}, $r->{us} / $floor, $r->{wakes}, $r->{each},
            $r->{threads}, $r->{kb}, $r->{switches}, $r->{tool}, $r->{wrong};

        print '    ', join(', ', map { sprintf '%s %.1f us', $_,
            $r->{kinds}{$_} } sort { $r->{kinds}{$b} <=> $r->{kinds}{$a} }
            keys %{$r->{kinds}}), "\n" if $o{threads};
    }
}


sub head {
    my ($what, $each) = @_;

    print "\n$what\n";
    printf "  %-18s %9s %9s %9s %8s %8s %9s %7s %6s  %s\n", '', 'us/packet',
        'x floor', 'wakes/p', '% each', 'threads', 'KB each', 'cs/s',
        'tool %', 'wrong';
}


# The load tool beside a server whose costs are taken when all are connected.

sub run {
    my ($server, $n, $args) = @_;

    my $memory = memory($server);
    my $log = "$work/load.log";
    my $pid = spawn($log, $tool, @$args, '--seconds', 300);

    ready($log, $pid, $n);
    sleep 1.5;

    my @perf = perf($server);
    my %before = cost($server);
    my %tool = cost($pid);
    my $begun = time();

    sleep $o{duration};

    my %after = cost($server);
    my %tool_after = cost($pid);
    my $took = time() - $begun;

    my $kb = (memory($server) - $memory) / $n;

    stop($_) for @perf, $pid;

    my %r = map { /^(\w+)=(.*)/ ? ($1, $2) : () } split /\n/, slurp($log);

    stop($server);

    # all of them send or read all the time

    my $packets = $r{bytes} / 1316 / $r{seconds} || 1;
    my $cpu = ($after{ns} - $before{ns}) / $took;

    return {
        us => $cpu / 1000 / $packets,
        each => $cpu / 1e7 / $n,
        wakes => ($after{own} - $before{own}) / $took / $packets,
        switches => ($after{switches} - $before{switches}) / $took,
        threads => $after{threads},
        kb => $kb,
        kinds => { map { $_ => ($after{"of $_"} - ($before{"of $_"} // 0))
            / $took / 1000 / $packets } map { /^of (.*)/ ? $1 : () }
            keys %after },
        tool => ($tool_after{ns} - $tool{ns}) / $took / 1e7,
        wrong => join(' ', map { "$_:$r{$_}" } grep { $r{$_} }
            qw/ broken lost dropped full /) || 'nothing',
    };
}


# The process and its children: run time, threads, switches of threads; `own'
# are those of the first thread, in which a worker runs.

sub cost {
    my ($pid) = @_;
    my %c = map { $_ => 0 } qw/ ns threads switches own /;

    for my $p (family($pid)) {
        for my $task (glob "/proc/$p/task/*") {
            my ($ns) = slurp("$task/schedstat") =~ /^(\d+)/;
            my ($n) = slurp("$task/status")
                =~ /^voluntary_ctxt_switches:\s*(\d+)/m;

            $c{ns} += $ns // 0;
            $c{switches} += $n // 0;
            $c{own} += $n // 0 if $task =~ m!/task/$p$!;
            $c{threads}++;

            my ($name) = slurp("$task/comm") =~ /^(?:SRT:)?(\w+)/;
            my $kind = $task =~ m!/task/$p$! ? 'worker'
                : $name eq 'nginx' ? 'epoll' : $name // '?';
            $c{"of $kind"} += $ns // 0;
        }
    }

    return %c;
}


sub memory {
    my ($pid) = @_;
    my $kb = 0;

    for my $p (family($pid)) {
        $kb += $1 if slurp("/proc/$p/smaps_rollup")
            =~ /^Pss_Anon:\s*(\d+)/m;
    }

    return $kb;
}


sub family {
    my ($pid) = @_;
    my @children = split ' ', slurp("/proc/$pid/task/$pid/children");

    return ($pid, map { family($_) } @children);
}


sub perf {
    my ($server) = @_;

    return if !$o{perf} || slurp("/proc/$server/cmdline") !~ /nginx/;

    my (undef, @workers) = family($server);

    return spawn("$work/perf.log", qw/ perf record -q -F 499 -g -o /, $o{perf},
        '-p', join(',', @workers));
}


sub start {
    my ($server, $mode, $n, $rate) = @_;
    my ($workers) = $server =~ /^(\d+) worker/;
    my $ports = $server eq 'floor, own ports' ? $n : 1;
    my $port = free_ports($ports);

    if (!$workers) {
        my @file = $mode eq 'serve' ? clip($rate) : ();
        my $pid = spawn("$work/floor.log", $tool, $mode, $port, '--ports',
            $ports, '--seconds', 300, @file);
        sleep 0.5;
        return ($pid, $port);
    }

    my $stream = '/usr/lib/nginx/modules/ngx_stream_module.so';
    my $user = $> == 0 ? 'user root;' : '';
    my $first = -f $stream ? "load_module $stream;" : '';

    spew("$work/nginx.conf", <<"END");
$first
load_module $modules/ngx_media_core_module.so;
load_module $modules/ngx_srt_module.so;
$user
worker_processes $workers;
worker_rlimit_nofile 20000;
daemon off;
pid $work/nginx.pid;
error_log $work/error.log error;
events { worker_connections 4096; }
media { zone 256m; }
stream {
    server { listen 127.0.0.1:$port udp reuseport; srt { } }
}
END

    my $pid = spawn("$work/nginx.log", $o{nginx}, '-p', "$work/", '-c',
        "$work/nginx.conf", '-e', "$work/error.log");

    for (1 .. 100) {
        my @all = family($pid);
        return ($pid, $port) if @all == $workers + 1;
        die slurp("$work/nginx.log"), slurp("$work/error.log")
            if waitpid($pid, WNOHANG) != 0;
        sleep 0.05;
    }

    die "nginx does not start\n";
}


# A file of this rate, and its own rate.

sub clip {
    my ($rate) = @_;

    my $seconds = int $o{duration} + 25;
    my $file = "$work/clip-$rate-$seconds.ts";
    my $video = int $rate * 0.92 - 40;

    if (!-f $file) {
        system("ffmpeg -hide_banner -nostdin -y -v error -f lavfi -i "
            . "testsrc2=size=320x180:rate=25 -f lavfi -i anoisesrc=a=0.2 "
            . "-t $seconds -c:v libx264 -preset ultrafast -tune zerolatency "
            . "-threads 1 -pix_fmt yuv420p -b:v ${video}k -minrate ${video}k "
            . "-maxrate ${video}k -bufsize ${video}k -nal-hrd cbr -g 25 "
            . "-sc_threshold 0 -c:a aac -b:a 32k -f mpegts $file") == 0
            or die "ffmpeg makes no clip\n";
    }

    my $own = int(-s $file) * 8 / $seconds / 1000;

    return ('--file', $file, '--rate', int $own);
}


# All of them are connected.

sub ready {
    my ($log, $pid, $n) = @_;

    for (1 .. 300 + 2 * $n) {
        return if slurp($log) =~ /^ready=1/m;
        die "the load tool ended: ", slurp($log) if waitpid($pid, WNOHANG) != 0;
        sleep 0.1;
    }

    warn "not all of $n were connected\n";
}


sub spawn {
    my ($log, @command) = @_;
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }

    $running{$pid} = 1;

    return $pid;
}


sub stop {
    my ($pid) = @_;

    return if !delete $running{$pid};

    for my $signal ('TERM', 'KILL') {
        kill $signal, $pid;

        for (1 .. 200) {
            return if waitpid($pid, WNOHANG) != 0;
            sleep 0.05;
        }
    }
}


# So many UDP ports in a row that are free now.

sub free_ports {
    my ($n) = @_;

    BASE: for (1 .. 100) {
        my $base = 12000 + int rand 18000;
        my @held;

        for my $port ($base .. $base + $n - 1) {
            push @held, IO::Socket::INET->new(Proto => 'udp',
                LocalAddr => '127.0.0.1', LocalPort => $port) || next BASE;
        }

        return $base;
    }

    die "no $n free ports\n";
}


sub slurp {
    my ($name) = @_;

    open my $f, '<', $name or return '';
    local $/;

    return scalar(<$f>) // '';
}


sub spew {
    my ($name, $text) = @_;

    open my $f, '>', $name or die "$name: $!\n";
    print $f $text;
    close $f;
}
