#!/usr/bin/perl

# Copyright (C) the nginx media suite authors
#
# `make bench`: what players and publishers cost this server, against the
# floor (a bare program that writes the same bytes to the same sockets, see
# load_floor.c) and against Debian's libnginx-mod-rtmp, in alternating runs.
#
# run.pl [--long] [--rounds N] [--duration S] [--players N] [--many N]
#        [--only fanout,workers,many,first,publishers,hooks,hls,hlsget,hlscost]
#        [--no-peer] [--no-ours]
#        [--calm CORES]
#        [--objs DIR] [--nginx FILE]
#
# hooks: what players notice of a back end that is asked about newcomers.
# hls: clients of low-latency HLS, how long a part takes to them; the load tool
# runs with the least priority there, as it stands for machines elsewhere.
# hlsget: playlist, part and segment against nginx's own files of the same
# bytes.  hlscost: what cutting adds to publishers.
#
# A run during which other programs took more than --calm cores is repeated,
# up to twice; the column `others` says what they took.
#
# Everything listens on 127.0.0.1, on ports the system gives; each process
# started is ended by its pid, each run has a time limit.  The package is
# unpacked under objs/bench, never installed.

use warnings;
use strict;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use Getopt::Long;
use IO::Socket::INET;
use List::Util qw(sum);
use POSIX qw(WNOHANG strftime);
use Time::HiRes qw(sleep time);

my $here = abs_path(dirname(__FILE__));
my %o = (rounds => 1, duration => 5, players => 1000, many => 4000,
    publishers => 200, churn => 100, calm => 0.25, peer => 1, ours => 1, bitrate => 200,
    objs => "$here/../../objs", nginx => '/usr/sbin/nginx',
    only => 'fanout,workers,many,first,publishers,hooks,hls,hlsget,hlscost');

GetOptions(\%o, 'long', 'rounds=i', 'duration=f', 'players=i', 'many=i',
    'publishers=i', 'churn=i', 'only=s', 'peer!', 'ours!', 'objs=s', 'nginx=s',
    'bitrate=i', 'calm=f')
    or die "see the head of $0\n";

if ($o{long}) {
    $o{rounds} = 3 if $o{rounds} == 1;
    $o{duration} = 20 if $o{duration} == 5;
}

my %only = map { $_ => 1 } split /,/, $o{only};

make_path("$o{objs}/bench");
my $objs = abs_path($o{objs});
my $work = "$objs/bench/run";
my $tool = "$objs/bench/ngx_media_load";

# What DESIGN.md measured for floor/0 where it states microseconds: a limit
# in microseconds is scaled by this run's floor/0.

my $reference = 344;

my (%running, %floor0);

$SIG{INT} = $SIG{TERM} = sub { exit 1 };
END { my $status = $?; stop_server($_) for keys %running; $? = $status; }

$| = 1;
main();


sub main {
    system("$here/build.sh", "$objs/bench") == 0
        or die "the load tool does not build\n";

    my $peer = $o{peer} ? peer_module() : undef;
    my @ours = $o{ours} ? our_modules() : ();

    header($peer, @ours);

    my %servers;
    $servers{ours} = \@ours if @ours;
    $servers{peer} = $peer if $peer;

    fanout(\%servers) if $only{fanout};
    workers(\%servers) if $only{workers} && @ours;
    many(\%servers) if $only{many} && @ours;
    first(\%servers) if $only{first};
    publishers(\%servers) if $only{publishers};
    hooks(\%servers) if $only{hooks} && @ours;

    return if !hls_module();

    hls(\%servers) if $only{hls};
    hls_get(\%servers) if $only{hlsget};
    hls_cost(\%servers) if $only{hlscost};
}


# The machine and the programs.

sub header {
    my ($peer, @ours) = @_;

    my ($cpu) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)/m;
    my $cpus = () = slurp('/proc/cpuinfo') =~ /^processor\b/mg;
    my ($mem) = slurp('/proc/meminfo') =~ /^MemTotal:\s*(\d+)/m;
    my ($load) = slurp('/proc/loadavg') =~ /^(\S+)/;
    my $kernel = (POSIX::uname())[2];
    my $version = `$o{nginx} -v 2>&1` =~ m!nginx/(\S+)! ? $1 : '?';

    printf "%s, %d x %s, %.1f GB, Linux %s, load %s\n",
        strftime('%Y-%m-%d %H:%M UTC', gmtime), $cpus, $cpu || '?',
        $mem / 1048576, $kernel, $load;
    printf "nginx %s; ours: %s; peer: %s\n", $version,
        @ours ? join(' ', map { s!.*/!!r } @ours) : 'not built',
        $peer ? "libnginx-mod-rtmp $peer->{version}" : 'not available';
    printf "one stream of %d kbit/s, 68 tags a second; "
        . "%g s a run, %d round(s); players, load tool and server share "
        . "this machine\n", $o{bitrate}, $o{duration}, $o{rounds};
}


# CPU per player at one batching: floor, ours, peer, in turn.

sub fanout {
    my ($servers) = @_;
    my (@rows, %cpu, %mem);

    for my $proto ('rtmp', 'flv') {
        push @rows,
            [ $proto, 'each tag', 'floor', { interval => 0 } ],
            [ $proto, 'each tag', 'ours', { latency => '1ms' } ],
            [ $proto, 'each tag', 'peer', {} ],
            [ $proto, '350 ms', 'floor', { interval => 350 } ],
            [ $proto, '350 ms', 'ours', { latency => '350ms' } ],
            [ $proto, 'adaptive', 'ours', {} ];
    }

    @rows = grep { possible($_->[2], $_->[0], $servers) } @rows;

    my @results = rounds($servers, map { { players => $o{players},
        proto => $_->[0], server => $_->[2], %{$_->[3]} } } @rows);

    title("fan-out, $o{players} players, one worker: server's CPU, "
        . "us per player-second");
    table_head('us', 'x floor', 'limit', 'p50 ms', 'p99 ms', 'KB/player',
        'others', 'missed');

    my %floor;

    for my $i (0 .. $#rows) {
        my ($proto, $batch, $server) = @{$rows[$i]};
        my $r = $results[$i];
        my $us = $r->{cpu_us_per_player_s};

        if ($server eq 'floor') {
            $floor{"$proto $batch"} = $us;
            $floor0{$proto} = $us if $batch eq 'each tag';
        }

        my $base = $floor{"$proto $batch"} || $floor{"$proto each tag"};
        my $limit = $server ne 'ours' ? ''
            : $batch eq 'each tag' ? 'x 1.1'
            : $batch eq '350 ms' ? 'x 1.3' : 'p99 < 20';

        table_row("$proto $batch", $server, num($us), ratio($us, $base),
            $limit, num($r->{latency_p50_ms}), num($r->{latency_p99_ms}),
            $server eq 'floor' ? '' : num($r->{kb_per_player}),
            num($r->{others_cpu}), missed($r));
    }

    print "KB/player: anonymous memory of all processes (PSS); limits: "
        . "4 (rtmp), 13.6 (flv: nginx's own request takes 9.6)\n";
}


# Two workers together against one.

sub workers {
    my ($servers) = @_;
    my @rows;

    for my $proto ('rtmp', 'flv') {
        for my $latency ('350ms', undef) {
            for my $n (1, 2) {
                push @rows, { players => $o{players}, proto => $proto,
                    server => 'ours', workers => $n, latency => $latency };
            }
        }
    }

    my @results = rounds($servers, @rows);

    title("one worker and two, $o{players} players: us per player-second");
    table_head('us', 'x one', 'limit', 'p50 ms', 'p99 ms', 'KB/player',
        'others', 'missed');

    my $one;

    for my $i (0 .. $#rows) {
        my ($row, $r) = ($rows[$i], $results[$i]);
        my $us = $r->{cpu_us_per_player_s};

        $one = $us if $row->{workers} == 1;

        table_row("$row->{proto} " . ($row->{latency} || 'adaptive'),
            "$row->{workers} worker(s)", num($us), ratio($us, $one),
            $row->{workers} == 2 ? 'x 1.1' : '', num($r->{latency_p50_ms}),
            num($r->{latency_p99_ms}), num($r->{kb_per_player}),
            num($r->{others_cpu}), missed($r));
    }
}


# Many players, where adaptive sending has to merge by itself.

sub many {
    my ($servers) = @_;

    my @rows = map { { players => $o{many}, proto => $_, server => 'ours' } }
        ('rtmp', 'flv');
    unshift @rows, map { { players => $o{players}, proto => $_,
        server => 'floor', interval => 0 } } grep { !$floor0{$_} }
        ('rtmp', 'flv');

    my @results = rounds($servers, @rows);

    title("adaptive, $o{many} players, one worker: us per player-second");
    table_head('us', 'cores', 'limit', 'p50 ms', 'p99 ms', 'KB/player',
        'others', 'missed');

    for my $i (0 .. $#rows) {
        my ($row, $r) = ($rows[$i], $results[$i]);

        if ($row->{server} eq 'floor') {
            $floor0{$row->{proto}} = $r->{cpu_us_per_player_s};
            next;
        }

        table_row("$row->{proto} adaptive", 'ours',
            num($r->{cpu_us_per_player_s}), num($r->{server_cpu}),
            '<= ' . scaled(40, $row->{proto}), num($r->{latency_p50_ms}),
            num($r->{latency_p99_ms}), num($r->{kb_per_player}),
            num($r->{others_cpu}), missed($r));
    }

    print "limit: 40 us scaled by this machine's floor/0, "
        . "p99 under 400 ms\n";
}


# Newcomers while all the players are served.

sub first {
    my ($servers) = @_;

    my @rows = grep { possible($_->{server}, $_->{proto}, $servers) } map {
        my $server = $_;
        map { { players => $o{players}, proto => $_, server => $server,
            churn => 50, interval => 20 } } ('rtmp', 'flv')
    } ('floor', 'ours', 'peer');

    my @results = rounds($servers, @rows);

    title("connect to first keyframe, 50 newcomers a second beside "
        . "$o{players} players, ms");
    table_head('n', 'p50', 'p90', 'p99', 'max', 'limit', 'others', 'missed');

    for my $i (0 .. $#rows) {
        my ($row, $r) = ($rows[$i], $results[$i]);

        table_row($row->{proto}, $row->{server}, $r->{churn_n},
            num($r->{churn_p50_ms}), num($r->{churn_p90_ms}),
            num($r->{churn_p99_ms}), num($r->{churn_max_ms}),
            $row->{server} eq 'ours' ? '1 / 5' : '', num($r->{others_cpu}),
            missed($r));
    }

    print "limit: p50 and p99; the floor writes every 20 ms here\n";
}


sub publishers {
    my ($servers) = @_;

    my @rows = grep { possible($_->{server}, 'rtmp', $servers) }
        map { { players => 0, proto => 'rtmp', server => $_,
            publishers => $o{publishers}, chunk => 4096 } }
            ('ours', 'peer');

    my @results = rounds($servers, @rows);

    title("$o{publishers} publishers, no players");
    table_head('us/s', 'limit', 'KB', 'limit', 'arena KB', 'blocked',
        'others', 'missed');

    for my $i (0 .. $#rows) {
        my ($row, $r) = ($rows[$i], $results[$i]);
        my $ours = $row->{server} eq 'ours';

        table_row('publishers', $row->{server},
            num($r->{cpu_us_per_publisher_s}),
            $ours ? '<= ' . scaled(200, 'rtmp') : '',
            num($r->{kb_per_publisher}), $ours ? '<= 40' : '',
            num($r->{arena_kb_per_publisher}), $r->{pub_blocked},
            num($r->{others_cpu}), missed($r));
    }
}


# Half of the players, while newcomers ask a back end: three hooks each come in
# and three more when they go.

sub hooks {
    my ($servers) = @_;

    my @rows = map { my $proto = $_; map { { players => $o{players} / 2,
        proto => $proto, server => 'ours', churn => $o{churn},
        hooks => $_ } } (0, 1) } ('rtmp', 'flv');

    my @results = rounds($servers, @rows);

    title(sprintf 'hooks: %d players, %d newcomers a second beside them, ms',
        $o{players} / 2, $o{churn});
    table_head('p50', 'p99', 'more', 'limit', 'newcomer', 'asked/s',
        'others', 'missed');

    my $without;

    for my $i (0 .. $#rows) {
        my ($row, $r) = ($rows[$i], $results[$i]);

        $without = $r->{latency_p99_ms} if !$row->{hooks};

        table_row($row->{proto}, $row->{hooks} ? 'hooks' : 'none',
            num($r->{latency_p50_ms}), num($r->{latency_p99_ms}),
            $row->{hooks} ? num($r->{latency_p99_ms} - $without) : '',
            $row->{hooks} ? '<= 5' : '', num($r->{churn_p50_ms}),
            num(($r->{asked} || 0) / $o{duration}), num($r->{others_cpu}),
            missed($r));
    }

    print "newcomer: connect to first keyframe, median; both servers, back "
        . "end and load tool share the cores\n";
}


# Clients of low-latency HLS at 1 Mbit/s.

sub hls {
    my ($servers) = @_;

    my @rows = map { { players => $o{players}, proto => 'hls',
        server => 'ours', workers => $_, bitrate => 1000 } } (1, 2, 4);

    my @results = rounds($servers, @rows);

    title("low-latency HLS, $o{players} clients, 1 Mbit/s, parts of 300 ms: "
        . 'us per client-second, ms from part ready to answer');
    table_head('us', 'list p50', 'list p99', 'part p50', 'part p99', 'limit',
        'late', 'others', 'missed');

    for my $i (0 .. $#rows) {
        my ($row, $r) = ($rows[$i], $results[$i]);

        table_row('hls', "$row->{workers} worker(s)",
            num($r->{cpu_us_per_player_s}), num($r->{hls_list_p50_ms}),
            num($r->{hls_list_p99_ms}), num($r->{hls_part_p50_ms}),
            num($r->{hls_part_p99_ms}), 'p99 < 20', $r->{hls_late} // '-',
            num($r->{others_cpu}), missed($r));
    }
}


# One worker, the same bytes from memory and from files, in turn.

sub hls_get {
    my ($servers) = @_;

    my ($rtmp, $http) = (free_port(), free_port());
    my $pid = start_server($servers, { server => 'ours', files => 1 }, $rtmp,
        $http);
    my $rounds = $o{rounds} > 1 ? $o{rounds} : 3;
    my $live = start_load('--rtmp', $rtmp, '--http', $http, '--hls-players',
        1, '--bitrate', 1000, '--quiet', '--duration', 15 + 40 * $rounds);
    my $base = "http://127.0.0.1:$http";
    my (@kinds, %all) = qw/ playlist part segment /;

    sleep 10;

    for my $round (1 .. $rounds) {
        for my $kind (@kinds) {
            my $name = hls_name($base, $kind);

            mkdir "$work/files";
            spew("$work/files/$name", fetch("$base/live/$name"));

            my @from = qw/ live sendfile files /;

            for my $from ($round % 2 ? @from : reverse @from) {
                push @{$all{$kind}{$from}}, load('--http', $http, '--pid',
                    $pid, '--publishers', 0, '--quiet', '--settle', 0.2,
                    '--get', "/$from/$name", '--duration', 2);
            }
        }
    }

    kill 'TERM', $live->{pid};
    end_load($live);
    stop_server($pid);

    title('HLS against files, one worker, 16 kept connections, no '
        . "open_file_cache: server's CPU per answer, us");
    table_head('bytes', 'us', 'a second', 'x files', 'limit', 'others');

    for my $kind (@kinds) {
        my %r = map { $_ => median(@{$all{$kind}{$_}}) } keys %{$all{$kind}};

        for my $from (qw/ live sendfile files /) {
            my $r = $r{$from};

            table_row($kind, $from eq 'live' ? 'ours' : $from eq 'files'
                ? 'sendfile off' : 'sendfile on', $r->{get_bytes},
                num($r->{cpu_us_per_get}), $r->{gets_per_s},
                $from eq 'live' ? '' : ratio($r->{cpu_us_per_get},
                $r{live}{cpu_us_per_get}), $from eq 'live' ? '' : '>= 0.9',
                num($r->{others_cpu}));
        }
    }
}


# The name of the media playlist, of its newest part, of its newest segment.

sub hls_name {
    my ($base, $kind) = @_;

    return 'bench.hls.0.m3u8' if $kind eq 'playlist';

    my $text = fetch("$base/live/bench.hls.0.m3u8");
    my @names = $kind eq 'part' ? $text =~ /^#EXT-X-PART:.*URI="([^"]+)"/mg
        : $text =~ /^([^#]\S*)$/mg;

    return $names[-1] // die "no $kind in the playlist\n";
}


sub fetch {
    my ($url) = @_;

    my ($host, $path) = $url =~ m!^http://([^/]+)(.*)!;
    my $s = IO::Socket::INET->new(PeerAddr => $host) or return '';

    print $s "GET $path HTTP/1.0\r\n\r\n";
    local $/;
    my $answer = <$s> // '';

    return $answer =~ /\r\n\r\n(.*)/s ? $1 : '';
}


# What it costs to cut.

sub hls_cost {
    my ($servers) = @_;

    my @rows = map { { players => 0, proto => 'rtmp', server => 'ours',
        publishers => 50, chunk => 4096, bitrate => 1000, hls => $_ } }
        qw/ off demand on /;

    my @results = rounds($servers, @rows);

    title('50 publishers of 1 Mbit/s, no clients: hls in media { }');
    table_head('us/s', 'x off', 'arena KB', 'others', 'missed');

    for my $i (0 .. $#rows) {
        my ($row, $r) = ($rows[$i], $results[$i]);

        table_row('publishers', "hls $row->{hls}",
            num($r->{cpu_us_per_publisher_s}),
            ratio($r->{cpu_us_per_publisher_s},
                $results[0]{cpu_us_per_publisher_s}),
            num($r->{arena_kb_per_publisher}), num($r->{others_cpu}),
            missed($r));
    }
}


# Can this server do it, and is it there?

sub possible {
    my ($server, $proto, $servers) = @_;

    return 1 if $server eq 'floor';
    return $servers->{$server} && ($server ne 'peer' || $proto eq 'rtmp');
}


# All runs, --rounds times in turn, every other time backwards; the median.

sub rounds {
    my ($servers, @runs) = @_;
    my @all;

    for my $round (1 .. $o{rounds}) {
        my @order = 0 .. $#runs;
        @order = reverse @order if $round % 2 == 0;

        for my $i (@order) {
            progress($runs[$i], $round);
            push @{$all[$i]}, calm_run($servers, $runs[$i]);
        }
    }

    progress();

    return map { median(@$_) } @all;
}


sub median {
    my (@results) = @_;
    my %median;

    for my $key (map { keys %$_ } @results) {
        my @v = sort { $a <=> $b } map { $_->{$key} // 0 } @results;
        $median{$key} = $key =~ /^(gap|tail|dup|dis|cor|early_cl|ref|prot)/
            ? $v[-1] : $v[$#v / 2];
    }

    return \%median;
}


# The calmest of up to three tries.

sub calm_run {
    my ($servers, $run) = @_;
    my $best;

    for my $try (1 .. 3) {
        wait_calm();

        my $r = run($servers, $run);

        $best = $r if !$best
            || ($r->{others_cpu} // 9) < ($best->{others_cpu} // 9);
        last if ($best->{others_cpu} // 9) <= $o{calm};
    }

    return $best;
}


# Until the machine is idle but for --calm cores; at most 10 seconds.

sub wait_calm {
    for (1 .. 10) {
        my $busy = busy();
        sleep 1;
        return if busy() - $busy <= $o{calm};
    }
}


sub busy {
    my @v = slurp('/proc/stat') =~ /^cpu +(.*)/ ? split ' ', $1 : ();

    return (sum(@v[0 .. 2, 5 .. 7])) / 100;
}


# One server, one load.

sub run {
    my ($servers, $run) = @_;

    my ($rtmp, $http) = (free_port(), free_port());
    my ($backend, $log);

    ($backend, $run->{backend}, $log) = start_backend() if $run->{hooks};

    my $pid = start_server($servers, $run, $rtmp, $http);

    my $publishers = $run->{server} eq 'floor' ? 0 : $run->{publishers} || 1;

    my @args = ('--rtmp', $rtmp, '--pid', $pid,
        '--bitrate', $run->{bitrate} || $o{bitrate}, '--settle',
        $run->{bitrate} ? 3 : 1, '--quiet');
    push @args, '--http', $http if $run->{server} ne 'peer';
    push @args, '--chunk', $run->{chunk} if $run->{chunk};

    my @load = (@args, '--publishers', $publishers,
        '--rate', $run->{players} > 1000 ? 1000 : 500,
        $run->{proto} eq 'flv' ? '--http-players'
        : $run->{proto} eq 'hls' ? '--hls-players' : '--rtmp-players',
        $run->{players});

    unshift @load, 'low' if $run->{proto} eq 'hls';

    my $r = $run->{churn}
        ? load_and_churn($run, \@load, \@args)
        : load(@load, '--duration', $o{duration});

    stop_server($pid);

    if ($backend) {
        stop_server($backend);
        $r->{asked} = -s $log ? (-s $log) / 2 : 0;
    }

    return $r;
}


# Newcomers of a process of their own: in that of the players they would
# wait behind these.

sub load_and_churn {
    my ($run, $load, $args) = @_;

    my $ramp = $run->{players} / 500 + 3;
    my $out = start_load(@$load, '--duration', $o{duration} + 3);

    sleep $ramp;

    my $churn = load(@$args, '--publishers', 0, '--duration', $o{duration},
        '--churn', $run->{churn}, $run->{proto} eq 'flv' ? '--churn-http'
        : ());
    my $r = end_load($out);

    $r->{$_} = $churn->{$_} for grep { /^churn_/ } keys %$churn;

    return $r;
}


sub load {
    return end_load(start_load(@_));
}


# The load tool; at most its phases' time and half a minute.  low: with the
# least priority.

sub start_load {
    my (@args) = @_;

    my @nice = $args[0] eq 'low' ? qw/ nice -n 19 / : ();
    shift @args if @nice;

    my ($duration) = "@args" =~ /--duration ([\d.]+)/;
    my $pid = open my $out, '-|', @nice, 'timeout',
        int(($duration || $o{duration}) + 60), $tool, @args
        or die "load tool: $!\n";

    return { pid => $pid, out => $out };
}


sub end_load {
    my ($load) = @_;

    my $out = $load->{out};
    my %r = map { /^(\w+)=(.*)/ ? ($1, $2) : () } <$out>;

    close $out;

    return \%r;
}


sub start_server {
    my ($servers, $run, $rtmp, $http) = @_;
    my @command;

    remove_tree($work);
    make_path("$work/logs");

    if ($run->{server} eq 'floor') {
        @command = ($tool, '--floor', '--rtmp', $rtmp, '--http', $http,
            '--interval', $run->{interval} || 0, '--bitrate', $o{bitrate});

    } else {
        my $conf = $run->{server} eq 'peer'
            ? peer_conf($servers->{peer}, $rtmp)
            : our_conf($servers->{ours}, $run, $rtmp, $http);

        spew("$work/nginx.conf", $conf);
        @command = ($o{nginx}, '-p', "$work/", '-c', "$work/nginx.conf",
            '-e', "$work/error.log");
    }

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', "$work/stdout";
        open STDERR, '>', "$work/stderr";
        exec @command or POSIX::_exit(127);
    }

    $running{$pid} = 1;

    for (1 .. 100) {
        last if waitpid($pid, WNOHANG) != 0;
        return $pid if IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $rtmp);
        sleep 0.05;
    }

    stop_server($pid);
    die "$run->{server} does not start:\n", slurp("$work/stderr"),
        -f "$work/error.log" ? slurp("$work/error.log") : '';
}


# A server that allows everything and counts what it was asked.

sub start_backend {
    my $port = free_port();
    my $dir = "$objs/bench/backend";

    remove_tree($dir);
    make_path("$dir/logs");

    spew("$dir/nginx.conf", "daemon off;\npid $dir/nginx.pid;\n"
        . ($> == 0 ? "user root;\n" : '') . "worker_processes 1;\n"
        . "error_log $dir/error.log error;\n"
        . "events { worker_connections 4096; }\nhttp {\n"
        . "log_format line x;\naccess_log $dir/access.log line;\n"
        . "keepalive_requests 10000000;\n"
        . "server { listen 127.0.0.1:$port; return 200 0; }\n}\n");

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        exec $o{nginx}, '-p', "$dir/", '-c', "$dir/nginx.conf", '-e',
            "$dir/error.log" or POSIX::_exit(127);
    }

    $running{$pid} = 1;

    return ($pid, $port, "$dir/access.log");
}


sub stop_server {
    my ($pid) = @_;

    return if !delete $running{$pid};

    for my $signal ('TERM', 'KILL') {
        kill $signal, $pid;

        for (1 .. 100) {
            return if waitpid($pid, WNOHANG) != 0;
            sleep 0.05;
        }
    }
}


sub nginx_conf {
    my ($workers, $modules) = @_;

    return join('', map { "load_module $_;\n" } @$modules)
        . ($> == 0 ? "user root;\n" : '')
        . "worker_processes $workers;\nworker_rlimit_nofile 20000;\n"
        . "daemon off;\npid $work/nginx.pid;\n"
        . "error_log $work/error.log error;\n"
        . "events { worker_connections 16384; }\n";
}


sub our_conf {
    my ($modules, $run, $rtmp, $http) = @_;

    my $conf = nginx_conf($run->{workers} || 1, $modules);

    my $media = ($run->{latency} ? "send_latency $run->{latency}; " : '')
        . ($run->{hls} ? "hls $run->{hls}; " : '')
        . join('', map { "$_ http://127.0.0.1:$run->{backend}/; " }
            $run->{backend} ? qw/ on_connect on_play on_stop on_close / : ());
    my $hls = hls_module() ? 'hls;' : '';
    my $files = !$run->{files} ? ''
        : join "\n        ", 'keepalive_requests 10000000;',
        map { "location /$_->[0]/ { alias $work/files/; sendfile $_->[1]; }" }
        [qw/ sendfile on /], [qw/ files off /];

    $conf .= "media { zone 128m; $media}\n" if $media || $run->{bitrate};

    return $conf . <<"END";
stream {
    server { listen 127.0.0.1:$rtmp backlog=4096; rtmp { } }
}
http {
    access_log off;
    server {
        listen 127.0.0.1:$http backlog=4096;
        location / { flv_live; $hls }
        $files
    }
}
END
}


sub peer_conf {
    my ($peer, $rtmp) = @_;

    return nginx_conf(1, [ $peer->{module} ]) . <<"END";
rtmp {
    access_log off;
    server {
        listen 127.0.0.1:$rtmp;
        application live { live on; }
    }
}
END
}


sub our_modules {
    my %rank = (ngx_media_core_module => 0, ngx_stream_rtmp_module => 1);

    my @ours = grep {
        m!/ngx_(media_core|stream_rtmp|http_flv_live|http_hls)_module! }
        glob("$objs/ngx_*_module.so");
    my $name = sub { $_[0] =~ m!([^/]*)\.so$! ? $1 : '' };

    return if @ours < 3;

    my $stream = '/usr/lib/nginx/modules/ngx_stream_module.so';

    return (-f $stream ? $stream : ()),
        sort { ($rank{$name->($a)} // 9) <=> ($rank{$name->($b)} // 9) }
        @ours;
}


sub hls_module { return -f "$objs/ngx_http_hls_module.so" }


# The package, unpacked; undef where it cannot be had.

sub peer_module {
    my $dir = "$objs/bench/peer";
    my $module = "$dir/usr/lib/nginx/modules/ngx_rtmp_module.so";

    if (!-f $module) {
        make_path($dir);
        system("cd $dir && apt-get -qq download libnginx-mod-rtmp "
            . ">/dev/null 2>&1 && dpkg -x libnginx-mod-rtmp_*.deb .");
    }

    return if !-f $module;

    my ($deb) = glob("$dir/libnginx-mod-rtmp_*.deb");
    my ($version) = ($deb || '') =~ /_([^_]*)_/;
    $version //= '?';
    $version =~ s/%3a/:/;

    return { module => $module, version => $version };
}


sub free_port {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0,
        Listen => 1, ReuseAddr => 1) or die "no port: $!\n";

    return $s->sockport();
}


sub progress {
    my ($run, $round) = @_;

    return if !-t STDERR;

    print STDERR "\r\e[K";
    return if !$run;

    print STDERR join ' ', "round $round:", $run->{server}, $run->{proto},
        $run->{latency} || '', "$run->{players} players";
}


sub title {
    print "\n$_[0]\n";
}


sub table_head {
    printf "  %-16s %-12s" . ' %10s' x @_ . "\n", '', '', @_;
}


sub table_row {
    my ($what, $server, @cells) = @_;

    printf "  %-16s %-12s" . ' %10s' x @cells . "\n", $what, $server, @cells;
}


sub num {
    my ($v) = @_;

    return '-' if !defined $v;
    return sprintf abs($v) >= 100 ? '%.0f' : abs($v) >= 10 ? '%.1f' : '%.2f',
        $v;
}


sub ratio {
    my ($v, $base) = @_;

    return $base && defined $v ? sprintf('%.2f', $v / $base) : '-';
}


sub scaled {
    my ($us, $proto) = @_;
    my $floor = $floor0{$proto} || $floor0{rtmp};

    return $floor ? sprintf('%.0f', $us * $floor / $reference) : "$us (ref)";
}


# Anything that a player did not get as it was published.

sub missed {
    my ($r) = @_;

    return 'no result' if !defined $r->{ok};
    return 'none' if $r->{ok};

    return join ' ', map { "$_:$r->{$_}" } grep { $r->{$_} }
        qw(gap_frames web_cut web_status hls_skipped hls_lost hls_stale
        hls_behind gaps tail_missing dups disorder corrupt dirty early_inter
        early_close refused protocol no_key pub_closed);
}


sub slurp {
    my ($name) = @_;

    open my $f, '<', $name or return '';
    local $/;

    return scalar <$f>;
}


sub spew {
    my ($name, $text) = @_;

    open my $f, '>', $name or die "$name: $!\n";
    print $f $text;
    close $f;
}
