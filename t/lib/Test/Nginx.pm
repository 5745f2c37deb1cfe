package Test::Nginx;

# Copyright (C) the nginx media suite authors

# Runs one nginx in a directory of its own and talks to it, in the manner of
# the test library of nginx itself:
#
#     my $t = Test::Nginx->new()->has(qw/http stream rtmp/)->plan(2);
#
#     $t->write_file_expand('nginx.conf', <<'END_OF_CONF');
#     %%TEST_GLOBALS%%
#     daemon off;
#     worker_processes %%WORKERS%%;
#     events { }
#     http {
#         %%TEST_GLOBALS_HTTP%%
#         server { listen 127.0.0.1:8080; location / { media_api; } }
#     }
#     END_OF_CONF
#
#     $t->run();
#     is($t->api_get('/api/v1/versions')->{code}, 0, 'versions');
#
# At the end every test checks by itself that the error log has no alerts
# and that no sanitizer spoke, which makes two tests more than the plan says.
# done_testing() works as well as a plan.
#
# The environment: TEST_NGINX_BINARY, TEST_NGINX_MODULES (where our .so files
# are, default objs), TEST_NGINX_STATIC=1 (they are in the binary),
# TEST_NGINX_WORKERS (default 4), TEST_NGINX_LOG_LEVEL (default info),
# TEST_NGINX_NOSKIP=1 (a test that would be skipped for a missing module fails),
# TEST_NGINX_VERBOSE, TEST_NGINX_LEAVE and TEST_NGINX_CATLOG (tell what is
# sent and received, keep the directory, show the log), TEST_NGINX_GLOBALS,
# TEST_NGINX_GLOBALS_HTTP, TEST_NGINX_GLOBALS_STREAM (more configuration).

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ log_in log_out http http_get http_head http_post
    http_start http_end http_content http_status port wait_until /;

use Cwd qw/ abs_path /;
use Fcntl qw/ :flock /;
use File::Basename qw/ dirname /;
use File::Spec;
use File::Path qw/ rmtree /;
use File::Temp qw/ tempdir /;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX qw/ WNOHANG _exit /;
use Scalar::Util qw/ weaken /;
use Socket qw/ CRLF /;
use Test::More qw//;
use Time::HiRes qw/ sleep time /;

our $TODO;
our $ROOT = abs_path(dirname(__FILE__) . '/../../..');
our $NGINX = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

my $MODULES = $ENV{TEST_NGINX_MODULES} || "$ROOT/objs";
my $STATIC = $ENV{TEST_NGINX_STATIC};

# ours, in the order they are loaded in

my %MODULES = (
    media    => 'ngx_media_core_module',
    rtmp     => 'ngx_stream_rtmp_module',
    flv_live => 'ngx_http_flv_live_module',
    hls      => 'ngx_http_hls_module',
    rtc      => 'ngx_rtc_module',
    srt      => 'ngx_srt_module',
    kafka    => 'ngx_media_kafka_module',
);

my @MODULES = qw/ media rtmp flv_live hls rtc srt /;
my %OVER_STREAM = map { $_ => 1 } qw/ rtmp rtc srt /;

my (@live, %ports, %locks, $failed_late);

###############################################################################

# Test::More's done_testing() in the test's own package is replaced, so that
# the two tests of the end stand before it.

sub import {
    my ($class, @args) = @_;
    my $caller = caller();

    no strict 'refs';
    no warnings qw/ redefine prototype /;

    if (defined &{"${caller}::done_testing"}) {
        *{"${caller}::done_testing"} = sub {
            $_->finish() for grep { defined } @live;
            Test::More::done_testing(@_);
        };
    }

    $class->export_to_level(1, $class, @args);
}

sub new {
    my $self = bless {
        _pid => $$,
        _daemons => [],
        _killed => {},
        _count => 0,
        _level => $ENV{TEST_NGINX_LOG_LEVEL} || 'info',
    }, shift;

    $self->{_testdir} = tempdir('nginx-test-XXXXXXXXXX', TMPDIR => 1)
        or die "Can't create temp directory: $!\n";
    chmod 0777, $self->{_testdir};

    push @live, $self;
    weaken($live[-1]);

    for my $sig (qw/ INT TERM HUP /) {
        $SIG{$sig} = sub { exit 1 } unless ref $SIG{$sig};
    }

    $SIG{PIPE} = 'IGNORE';

    Test::More::BAIL_OUT("no nginx binary at $NGINX") unless -x $NGINX;

    return $self;
}

sub DESTROY {
    my ($self) = @_;

    local ($?, $!, $@);

    $self->finish();
}

END {
    my $code = $?;

    $_->finish() for grep { defined } @live;

    $? = $code || ($failed_late ? 1 : 0);
}

# Stops what runs and gives the verdict on the logs, once.

sub finish {
    my ($self) = @_;

    return if $self->{_pid} != $$ || $self->{_finished}++;

    # clients first, as nginx waits for them; servers of the test may be needed

    $self->stop_daemons('program');
    $self->stop();
    $self->stop_daemons();

    my $builder = Test::More->builder;
    my $alerts = join "\n", $self->alerts();
    my $sanitizer = join "\n", $self->sanitizer_errors();

    if ($self->{_started}) {

        if ($builder->expected_tests || !$builder->{Done_Testing}
            && $builder->current_test)
        {
            local $Test::Nginx::TODO = $self->{_todo_alerts};

            Test::More::is($alerts, '', 'no alerts');
            Test::More::is($sanitizer, '', 'no sanitizer errors');

        } elsif ($alerts || $sanitizer) {
            Test::More::diag("alerts: $alerts\nsanitizer: $sanitizer");
            $failed_late = 1;
        }
    }

    if ($ENV{TEST_NGINX_CATLOG}) {
        Test::More::diag($self->read_file('error.log') || '');

    } elsif ($self->{_started} && !$builder->is_passing) {
        my @lines = grep { /\[(warn|error|crit|alert|emerg)\]/ }
            split /^/, $self->read_file('error.log') || '';
        splice @lines, 0, -20 if @lines > 20;
        Test::More::diag("the error log ends:\n", @lines) if @lines;
    }

    if ($ENV{TEST_NGINX_LEAVE}) {
        Test::More::diag("left in $self->{_testdir}");

    } else {
        rmtree($self->{_testdir});
    }
}

sub alerts {
    my ($self) = @_;

    my $log = $self->read_file('error.log') || '';

    # nginx before 1.25 takes a session that TERM ends after QUIT for a leak

    if (defined $self->{_cut} && length $log > $self->{_cut}) {
        my $end = substr $log, $self->{_cut};
        $end =~ s/^.*\[alert\].* (open socket #\d+ left|aborting$).*\n//mg;
        substr($log, $self->{_cut}) = $end;
    }

    my @alerts = grep { /\[alert\]/ } split /\n/, $log;

    return grep {
        !(/process (\d+) exited on signal/ && $self->{_killed}{$1})
            && !($self->{_allowed} && $_ =~ $self->{_allowed})
    } @alerts;
}

# Alerts that a test brings about, by what they say.

sub allow_alerts {
    my ($self, $pattern) = @_;
    $self->{_allowed} = $pattern;
    return $self;
}

# What the sanitizers have said, in their own files or, as nginx makes it its
# stderr, in the error log; without what UBSan holds against nginx's own
# sources, whose names begin with src/, while those of the modules are absolute.

sub sanitizer_errors {
    my ($self) = @_;

    my @reports;

    for my $file (glob("$self->{_testdir}/{*san.*,stderr.log,error.log}")) {
        my $left = 0;

        open my $fh, '<', $file or next;

        while (my $line = <$fh>) {

            if ($line =~ m!^(\S+):\d+:\d+: runtime error:!) {
                $left = $1 =~ m!^src/! ? 0 : 12;
                push @reports, '' if $left;

            } elsif ($line =~ m!^==\d+==\s*ERROR: \w+Sanitizer!) {
                $left = 60;
                push @reports, '';

            } elsif ($line =~ m!^\d{4}/\d\d/\d\d !) {
                $left = 0;
            }

            $reports[-1] .= $line if $left-- > 0;
        }
    }

    return @reports;
}

# Alerts are expected: tells why.

sub todo_alerts {
    my ($self, $why) = @_;
    $self->{_todo_alerts} = $why || 'alerts';
    return $self;
}

###############################################################################

# What the test needs: skips it where something is missing.

sub has {
    my ($self, @features) = @_;

    for my $feature (@features) {
        next if $self->has_module($feature);
        die "no $feature available\n" if $ENV{TEST_NGINX_NOSKIP};
        Test::More::plan(skip_all => "no $feature available");
    }

    return $self;
}

sub has_module {
    my ($self, $feature) = @_;

    my $v = $self->{_configure_args} //= `$NGINX -V 2>&1`;

    if (my $name = $MODULES{$feature}) {
        return $STATIC ? $v =~ m/--add-module=/ : -f "$MODULES/$name.so";
    }

    return $v !~ m/--without-http(?=\s|$)/ if $feature eq 'http';
    return defined $self->_stream_module() if $feature eq 'stream';
    return $v =~ m/--with-debug\b/ if $feature eq 'debug';
    return $v =~ m/fsanitize=/ if $feature eq 'sanitizer';
    return $v =~ m/--with-threads\b/ if $feature eq 'threads';

    return 1 if $v =~ m/--with-(http_|stream_)?\Q$feature\E(_module)?(?=\s|$)/;

    # those nginx builds unless it is told not to

    return $v !~ m/--without-http_\Q$feature\E_module/
        if $feature =~ m/^(access|auth_basic|autoindex|charset|empty_gif|
                           fastcgi|geo|gzip|limit_conn|limit_req|map|
                           memcached|mirror|proxy|referer|rewrite|scgi|
                           split_clients|ssi|upstream_hash|userid|uwsgi)$/x;

    return 0;
}

sub has_version {
    my ($self, $need) = @_;

    my $v = $self->{_configure_args} //= `$NGINX -V 2>&1`;
    my @have = $v =~ m!nginx version: \w+/(\d+)\.(\d+)\.(\d+)!;

    for my $n (split /\./, $need) {
        my $h = shift @have // 0;
        return 1 if $h > $n;
        return 0 if $h < $n;
    }

    return 1;
}

# The programs the test needs.

sub has_daemon {
    my ($self, @programs) = @_;

    for my $program (@programs) {
        Test::More::plan(skip_all => "$program not found")
            unless grep { -x "$_/$program" } split /:/, $ENV{PATH};
    }

    return $self;
}

sub plan {
    my ($self, $plan) = @_;

    Test::More::plan(tests => $plan + 2);

    return $self;
}

###############################################################################

# Starts nginx and waits until it is ready.

sub run {
    my ($self, $conf) = @_;

    $conf = 'nginx.conf' unless defined $conf;

    my $testdir = $self->{_testdir};
    my $pid = $self->_spawn("$testdir/stderr.log", $NGINX, '-p', "$testdir/",
        '-c', $conf, '-e', 'error.log');

    $self->{_started} = 1;
    $self->{_conf} = $conf;

    my $ok = wait_until(sub {
        return 1 if -s "$testdir/nginx.pid"
            && $self->workers() >= $self->_workers_configured();

        # either the foreground has ended in failure or in a daemon

        if (defined $pid && waitpid($pid, WNOHANG) == $pid) {
            die $self->_start_failure() if $?;
            undef $pid;
        }

        return 0;
    }, 20);

    die $self->_start_failure() unless $ok;

    $self->{_child} = $pid;
    $self->{_master} = $self->_master_pid();

    return $self;
}

# The same, but a configuration that is refused skips the test.

sub try_run {
    my ($self, $message) = @_;

    return $self if eval { $self->run(); 1 };

    Test::More::plan(skip_all => $message) unless Test::More->builder->has_plan;
    Test::More::diag($@) if $ENV{TEST_NGINX_VERBOSE};

    return $self;
}

# nginx -t: gives the exit status and what it says.

sub test_config {
    my ($self, $conf) = @_;

    $conf = 'nginx.conf' unless defined $conf;

    my $file = "$self->{_testdir}/test.log";
    my $pid = $self->_spawn($file, $NGINX, '-t', '-p', "$self->{_testdir}/",
        '-c', $conf, '-e', 'stderr');

    waitpid($pid, 0);
    my $status = $?;
    my $text = $self->read_file('test.log') || '';

    return wantarray ? ($status, $text) : $status;
}

# Ends nginx gracefully; sessions that would hold it for more than some
# seconds are cut.

sub stop {
    my ($self, %opts) = @_;

    my $master = delete $self->{_master};

    return $self unless defined $master;

    my @all = ($master, $self->_children($master));

    for my $step (['QUIT', $opts{grace} || 3], ['TERM', 10], ['KILL', 5]) {
        $self->{_cut} = -s "$self->{_testdir}/error.log"
            if $step->[0] eq 'TERM';
        kill $step->[0], $step->[0] eq 'KILL' ? @all : $master;
        last if wait_until(sub { $self->_gone($master) }, $step->[1]);
        Test::More::diag("nginx did not end on TERM") if $step->[0] eq 'TERM';
    }

    # orphans, where the master did not live to end them

    kill 'KILL', grep { $self->_is_nginx($_) } @all;

    return $self;
}

# All of them, or only those that are programs.

sub stop_daemons {
    my ($self, $programs) = @_;

    my @those = grep { !$programs || $_->{program} } @{$self->{_daemons}};
    my %ended = map { $_->{pid} => 1 } @those;
    my @pids = map { $_->{pid} } grep { !$self->_reaped($_->{pid}) } @those;

    kill 'TERM', @pids;

    for my $pid (@pids) {
        next if wait_until(sub { $self->_reaped($pid) }, 3);
        kill 'KILL', $pid;
        waitpid($pid, 0);
    }

    @{$self->{_daemons}} = grep { !$ended{$_->{pid}} } @{$self->{_daemons}};

    return $self;
}

# Ends one of them now.

sub stop_daemon {
    my ($self, $pid, $signal) = @_;

    kill $signal || 'TERM', $pid;

    unless (wait_until(sub { $self->_reaped($pid) }, 10)) {
        kill 'KILL', $pid;
        waitpid($pid, 0);
    }

    @{$self->{_daemons}} = grep { $_->{pid} != $pid } @{$self->{_daemons}};

    return $self;
}

# Tells the master to read its configuration again, and returns when workers
# of the new generation are there and the old ones have stopped listening.

sub reload {
    my ($self) = @_;

    my %old = map { $_ => 1 } $self->workers();

    kill 'HUP', $self->{_master};

    return wait_until(sub {
        my @now = $self->workers();
        return @now >= ($self->_workers_configured() || 1)
            && !grep { $old{$_} } @now;
    }, 20);
}

sub master { return $_[0]->{_master} }

# The pids of the workers that accept connections, and of all workers.

sub workers {
    my ($self) = @_;
    return grep { _title($_) !~ /shutting down/ } $self->all_workers();
}

sub all_workers {
    my ($self) = @_;

    my $master = $self->{_master} || $self->_master_pid();

    return () unless $master;
    return grep { _title($_) =~ /nginx: worker process/ }
        $self->_children($master);
}

# Kills one worker and returns when the master has started another.

sub kill_worker {
    my ($self, $pid, $signal) = @_;

    my $count = $self->workers();

    $self->killed($pid);
    kill $signal || 'KILL', $pid;

    return wait_until(sub {
        my @now = $self->workers();
        return @now >= $count && !grep { $_ == $pid } @now;
    }, 10);
}

# One that the test kills by itself: no alert of it is a fault.

sub killed {
    my ($self, $pid) = @_;
    $self->{_killed}{$pid} = 1;
    return $self;
}

###############################################################################

# Runs a function or a program beside nginx until the test ends; what a
# program says goes to a file of the test directory.  Returns the pid.

sub run_daemon {
    my ($self, $code, @args) = @_;

    my $log = sprintf '%s/daemon-%d.log', $self->{_testdir},
        ++$self->{_count};
    my $pid;

    if (ref $code eq 'CODE') {
        $pid = fork();
        die "Can't fork: $!\n" unless defined $pid;

        if ($pid == 0) {
            $SIG{TERM} = $SIG{INT} = 'DEFAULT';
            eval { $code->(@args); 1 } or print STDERR $@;
            _exit($@ ? 1 : 0);
        }

    } else {
        $pid = $self->_spawn($log, $code, @args);
    }

    push @{$self->{_daemons}},
        { pid => $pid, log => $log, program => !ref $code };

    return $pid;
}

sub daemon_log {
    my ($self, $pid) = @_;

    my ($log) = map { $_->{log} } grep { $_->{pid} == $pid }
        @{$self->{_daemons}};

    return '' unless defined $log && open my $fh, '<', $log;
    local $/;
    return scalar(<$fh>) // '';
}

sub daemon_alive {
    my ($self, $pid) = @_;
    return !$self->_reaped($pid);
}

# Waits for a program of run_daemon() to end by itself; gives its status, or
# undef where it did not end in time.

sub wait_daemon {
    my ($self, $pid, $timeout) = @_;

    my $ok = wait_until(sub { $self->_reaped($pid) }, $timeout || 30);

    return $ok ? $self->{_status}{$pid} : undef;
}

# Publishes a moving picture and a tone in real time.

sub publish {
    my ($self, $url, %opts) = @_;

    my $fps = $opts{fps} || 25;
    my $gop = $opts{gop} || $fps;
    my $size = $opts{size} || '320x180';
    my $format = $opts{format} || 'flv';

    my @args = ('-hide_banner', '-nostdin', '-loglevel', 'warning', '-re',
        '-f', 'lavfi', '-i', "testsrc2=size=$size:rate=$fps",
        '-f', 'lavfi', '-i', 'sine=frequency=440:beep_factor=4');

    push @args, '-t', $opts{duration} if $opts{duration};
    push @args, @{$opts{codecs} || [qw/ -c:v libx264 -preset ultrafast
        -tune zerolatency -pix_fmt yuv420p -b:v 200k /,
        '-g', $gop, '-keyint_min', $gop, qw/ -c:a aac -b:a 32k /]};

    return $self->run_daemon('ffmpeg', @args, '-f', $format, $url);
}

sub waitforfile {
    my ($self, $file, $pid) = @_;

    $file = "$self->{_testdir}/$file" unless $file =~ m!^/!;

    return wait_until(sub {
        return 1 if -e $file;
        die "process ended\n" if defined $pid && $self->_reaped($pid);
        return 0;
    }, 10);
}

sub waitforsocket {
    my ($self, $peer) = @_;

    return wait_until(sub {
        my $s = IO::Socket::INET->new(Proto => 'tcp', PeerAddr => $peer);
        return defined $s;
    }, 10);
}

# Calls the function until it gives something true, which is returned, for at
# most so many seconds.

sub wait_until(&;$) {
    my ($code, $timeout) = @_;

    my $end = time() + ($timeout || 10);
    my $pause = 0.005;

    while (1) {
        my $r = $code->();
        return $r if $r;
        return $r if time() > $end;
        sleep($pause);
        $pause *= 1.5 if $pause < 0.1;
    }
}

###############################################################################

sub testdir { return $_[0]->{_testdir} }

sub log_level {
    my ($self, $level) = @_;
    $self->{_level} = $level;
    return $self;
}

sub read_file {
    my ($self, $name) = @_;

    open my $fh, '<', "$self->{_testdir}/$name" or return undef;
    local $/;
    return scalar <$fh>;
}

sub write_file {
    my ($self, $name, $content) = @_;

    open my $fh, '>', "$self->{_testdir}/$name"
        or die "Can't create $name: $!\n";
    binmode $fh;
    print $fh $content;
    close $fh or die "Can't write $name: $!\n";

    return $self;
}

sub write_file_expand {
    my ($self, $name, $content) = @_;

    my $workers = $ENV{TEST_NGINX_WORKERS} || 4;

    $content =~ s/%%TEST_GLOBALS%%/$self->test_globals()/gmse;
    $content =~ s/%%TEST_GLOBALS_HTTP%%/$self->test_globals_http()/gmse;
    $content =~ s/%%TEST_GLOBALS_STREAM%%/
        $ENV{TEST_NGINX_GLOBALS_STREAM} || ''/gmsex;
    $content =~ s/%%TESTDIR%%/$self->{_testdir}/gms;
    $content =~ s/%%MODULES%%/$MODULES/gms;
    $content =~ s/%%WORKERS%%/$workers/gms;

    $content =~ s/127\.0\.0\.1:(8\d\d\d)\b/'127.0.0.1:' . port($1)/gmse;
    $content =~ s/%%PORT_(\d+)(?:_UDP)?%%/port($1)/gmse;

    return $self->write_file($name, $content);
}

sub test_globals {
    my ($self) = @_;

    my $s = $self->load_modules($self->{_modules} ? @{$self->{_modules}}
                                                  : @MODULES);

    $s .= "user www-data;\n" if $> == 0;
    $s .= "pid $self->{_testdir}/nginx.pid;\n";
    $s .= "error_log $self->{_testdir}/error.log $self->{_level};\n";
    $s .= "worker_shutdown_timeout 30s;\n" if $self->{_shutdown_timeout};
    $s .= $ENV{TEST_NGINX_GLOBALS} . "\n" if $ENV{TEST_NGINX_GLOBALS};

    return $s;
}

sub test_globals_http {
    my ($self) = @_;

    my $s = "root $self->{_testdir};\n"
        . "access_log $self->{_testdir}/access.log;\n"
        . "client_body_temp_path $self->{_testdir}/client_body_temp;\n";

    for my $module (qw/ proxy fastcgi uwsgi scgi /) {
        $s .= "${module}_temp_path $self->{_testdir}/${module}_temp;\n"
            if $self->has_module($module);
    }

    $s .= ($ENV{TEST_NGINX_GLOBALS_HTTP} || '') . "\n";

    return $s;
}

# Which of our modules %%TEST_GLOBALS%% loads, by their short names and in
# this order; all that are built, if it is not told.

sub modules {
    my ($self, @names) = @_;
    $self->{_modules} = \@names;
    return $self;
}

# The load_module lines of these.

sub load_modules {
    my ($self, @names) = @_;

    return '' if $STATIC;

    my $s = '';
    my $stream = $self->_stream_module();

    if ($stream && (!@names || grep { $OVER_STREAM{$_} } @names)) {
        $s .= "load_module $stream;\n";
    }

    for my $name (@names) {
        my $file = "$MODULES/$MODULES{$name}.so";
        next if $OVER_STREAM{$name} && !defined $stream;
        $s .= "load_module $file;\n" if -f $file;
    }

    return $s;
}

# A key and a self-signed certificate: NAME.key and NAME.crt.

sub write_cert {
    my ($self, $name) = @_;

    my $d = $self->{_testdir};
    my $pid = $self->_spawn("$d/openssl.log", qw/ openssl req -x509 -new
        -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 /,
        '-subj', "/CN=$name", '-keyout', "$d/$name.key",
        '-out', "$d/$name.crt");

    waitpid($pid, 0);
    die "Can't make a certificate\n" if $?;

    return $self;
}

###############################################################################

# A free port instead of the well-known one.  A lock keeps it free for this
# test against the others that run; ports under the ephemeral range are not
# taken by anybody's outgoing connection.

sub port {
    my ($num) = @_;

    return $ports{$num} if $ports{$num};

    my $dir = File::Spec->tmpdir() . '/nginx-test-ports';

    unless (-d $dir) {
        mkdir $dir;
        chmod 0777, $dir;
    }

    my $base = 10000 + ($$ * 37 + $num) % 20000;

    for my $try (0 .. 999) {
        my $p = 10000 + ($base - 10000 + $try * 7) % 20000;

        next unless open my $fh, '>>', "$dir/$p";
        chmod 0666, "$dir/$p";
        next unless flock($fh, LOCK_EX | LOCK_NB);
        next unless _port_free($p);

        $locks{$p} = $fh;
        return $ports{$num} = $p;
    }

    die "no free port for $num\n";
}

sub _port_free {
    my ($p) = @_;

    for my $proto (qw/ tcp udp /) {
        my $s = IO::Socket::INET->new(Proto => $proto, LocalPort => $p,
            LocalAddr => '0.0.0.0',
            $proto eq 'tcp' ? (Listen => 1, ReuseAddr => 1) : ());
        return 0 unless defined $s;
    }

    return 1;
}

###############################################################################

sub log_core {
    my ($prefix, $msg) = @_;

    return unless $ENV{TEST_NGINX_VERBOSE};
    return unless defined $msg && length $msg;

    $msg = substr($msg, 0, 2000) . '...' if length $msg > 2000;
    $msg =~ s/^/# $prefix /gm;
    $msg =~ s/[^\x20-\x7e\n]/./g;
    print $msg, $msg =~ /\n$/ ? '' : "\n";
}

sub log_out { log_core('>>', @_) }
sub log_in  { log_core('<<', @_) }

sub http_get {
    my ($url, %opts) = @_;
    return http("GET $url HTTP/1.0" . CRLF . 'Host: localhost' . CRLF
        . CRLF, %opts);
}

sub http_head {
    my ($url, %opts) = @_;
    return http("HEAD $url HTTP/1.0" . CRLF . 'Host: localhost' . CRLF
        . CRLF, %opts);
}

sub http_post {
    my ($url, $body, %opts) = @_;
    my $type = delete $opts{type} || 'application/json';
    my $method = delete $opts{method} || 'POST';
    return http("$method $url HTTP/1.0" . CRLF . 'Host: localhost' . CRLF
        . "Content-Type: $type" . CRLF . 'Content-Length: ' . length($body)
        . CRLF . CRLF . $body, %opts);
}

# Sends a request and gives the answer with its header, read up to the end,
# or for `timeout` seconds (8), or up to `limit` bytes; over TLS with SSL => 1;
# with start => 1 gives the socket at once.

sub http {
    my ($request, %opts) = @_;

    my $s = http_start($request, %opts);

    return $s if $opts{start} || !defined $s;
    return http_end($s, %opts);
}

sub http_start {
    my ($request, %opts) = @_;

    my $s = $opts{socket} || IO::Socket::INET->new(Proto => 'tcp',
        PeerAddr => $opts{peer} || '127.0.0.1:' . port($opts{port} || 8080),
        Timeout => 5);

    unless (defined $s) {
        log_in("no connection: $@");
        return undef;
    }

    if ($opts{SSL} && !$opts{socket}) {
        require IO::Socket::SSL;
        $s = IO::Socket::SSL->start_SSL($s, SSL_verify_mode => 0,
            SSL_hostname => 'localhost');
    }

    log_out($request);
    $s->autoflush(1);
    print $s $request;

    return $s;
}

sub http_end {
    my ($s, %opts) = @_;

    my $end = time() + ($opts{timeout} || 8);
    my $reply = '';

    while ((my $left = $end - time()) > 0) {
        last unless $s->can('pending') && $s->pending()
            || IO::Select->new($s)->can_read($left);
        my $n = $s->sysread($reply, 65536, length $reply);
        last unless $n;
        last if $opts{limit} && length $reply >= $opts{limit};
    }

    log_in($reply);

    return $reply;
}

sub http_status {
    my ($reply) = @_;
    return defined $reply && $reply =~ m!^HTTP/\S+ (\d{3})! ? $1 : undef;
}

# The body, without the chunks.

sub http_content {
    my ($reply) = @_;

    return '' unless defined $reply && $reply =~ /\r\n\r\n(.*)$/s;

    my $body = $1;

    return $body if $reply !~ /^Transfer-Encoding: chunked\r$(?=.*?\r\n\r\n)/msi;

    my $content = '';

    while ($body =~ s/^([0-9a-f]+)[^\r\n]*\r\n//i) {
        my $len = hex $1;
        last if $len == 0;
        $content .= substr $body, 0, $len;
        $body = length $body > $len + 2 ? substr $body, $len + 2 : '';
    }

    return $content;
}

# The API: port 1985 where the configuration has it, else 8080.  Gives the
# decoded JSON, undef where there is none; with the status in list context.

sub api_get {
    my ($self, $path, %opts) = @_;

    my $reply = http_get($path, port => $self->_api_port(), %opts);
    return _json($reply);
}

sub api_request {
    my ($self, $method, $path, $body, %opts) = @_;

    my $reply = http_post($path, defined $body ? encode_json($body) : '',
        method => $method, port => $self->_api_port(), %opts);
    return _json($reply);
}

sub _api_port { return $ports{1985} ? 1985 : 8080 }

sub _json {
    my ($reply) = @_;

    my $json = eval { decode_json(http_content($reply)) };

    return wantarray ? ($json, http_status($reply)) : $json;
}

###############################################################################

sub _spawn {
    my ($self, $log, @command) = @_;

    my $d = $self->{_testdir};
    my $pid = fork();

    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw/ INT TERM HUP PIPE /;

        $ENV{ASAN_OPTIONS} //= '';
        $ENV{UBSAN_OPTIONS} //= '';
        $ENV{ASAN_OPTIONS} .= ":log_path=$d/asan:detect_leaks=0"
            . ':detect_odr_violation=0:allocator_may_return_null=1';
        $ENV{UBSAN_OPTIONS} .= ":log_path=$d/ubsan:print_stacktrace=1";

        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $log;
        open STDERR, '>&', \*STDOUT;

        { no warnings 'exec'; exec { $command[0] } @command; }
        print STDERR "Can't run $command[0]: $!\n";
        _exit(127);
    }

    return $pid;
}

sub _start_failure {
    my ($self) = @_;
    return join '', "nginx did not start:\n",
        map { $self->read_file($_) || '' } qw/ stderr.log error.log /;
}

# nginx's own stream module: '' where it is built in, undef without one.

sub _stream_module {
    my ($self) = @_;

    return $self->{_stream} if exists $self->{_stream};

    my $v = $self->{_configure_args} //= `$NGINX -V 2>&1`;
    my $stream;

    if ($v =~ m/--with-stream(?=\s|$)/) {
        $stream = '';

    } elsif ($v =~ m/--with-stream=dynamic/) {
        my ($dir) = $v =~ m/--modules-path=(\S+)/;
        my $file = ($dir || '/usr/lib/nginx/modules')
            . '/ngx_stream_module.so';
        $stream = $file if -f $file;
    }

    return $self->{_stream} = $stream;
}

# How many workers the configuration asks for; a single process has none.

sub _workers_configured {
    my ($self) = @_;

    my $conf = $self->read_file($self->{_conf}) || '';

    return 0 if $conf =~ /^\s*master_process\s+off;/m;
    return $conf =~ /^\s*worker_processes\s+(\d+);/m ? $1 : 1;
}

sub _master_pid {
    my ($self) = @_;
    my $pid = $self->read_file('nginx.pid');
    return defined $pid && $pid =~ /^(\d+)/ ? $1 : undef;
}

sub _children {
    my ($self, $parent) = @_;

    my @pids;

    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $stat or next;
        my $line = <$fh>;
        next unless defined $line && $line =~ /^(\d+) \(.*\) (\S) (\d+) /s;
        push @pids, $1 if $3 == $parent && $2 ne 'Z';
    }

    return sort { $a <=> $b } @pids;
}

sub _title {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/cmdline" or return '';
    local $/;
    my $title = <$fh>;
    return defined $title ? $title : '';
}

sub _is_nginx { return _title($_[1]) =~ /nginx: (worker|master|cache)/ }

# A child of ours that has ended, reaped now or before.

sub _reaped {
    my ($self, $pid) = @_;

    return 1 if exists $self->{_status}{$pid};

    my $r = waitpid($pid, WNOHANG);

    return 0 if $r == 0;

    $self->{_status}{$pid} = $r == $pid ? $? : -1;

    return 1;
}

sub _gone {
    my ($self, $pid) = @_;

    return $self->_reaped($pid)
        if defined $self->{_child} && $self->{_child} == $pid;

    return !kill 0, $pid;
}

###############################################################################

1;

###############################################################################
