package Client;

# Copyright (C) the nginx media suite authors

# What the tests with real clients share: a server, a clip whose every second
# begins with a white picture and a beep, and a look at what came out.
#
# A lost, doubled or late picture shows in the times of the frames, a drift
# between picture and sound in the distance of flash and beep.
# TEST_CLIENT_SECONDS says how long each client plays (8 by default).

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ server seconds publish_clip live analyse check_played
    run_for as_user found packages script open_page reported fields /;

use File::Compare qw/ compare /;
use File::Copy qw/ copy /;
use File::Path qw/ make_path /;
use List::Util qw/ max min /;
use POSIX qw/ WNOHANG /;
use Test::More;
use Time::HiRes qw/ sleep time /;

use Test::Nginx;


our $FPS = 25;

my $profiles = 0;


sub seconds { return $ENV{TEST_CLIENT_SECONDS} || 8 }


# Skips the test where a program of it is not installed.

sub found {
    my (@programs) = @_;

    for my $program (@programs) {
        plan(skip_all => "$program not found")
            unless grep { -x "$_/$program" } split /:/, $ENV{PATH};
    }
}


# An nginx with RTMP and HTTP-FLV: gives it and the two URLs.

sub server {
    my (%opts) = @_;

    my $http = $opts{http} || '';
    my $stream = $opts{stream} || '';
    my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/)
        ->has_daemon(qw/ffmpeg ffprobe/);

    $t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }
stream {
    server { listen 127.0.0.1:8035; rtmp { } }
    $stream
}
http {
    %%TEST_GLOBALS_HTTP%%
    types { text/html html; application/javascript js; }
    server {
        listen 127.0.0.1:8080;
        location / { flv_live; }
        $http
    }
}
END_OF_CONF

    $t->run();

    return ($t, 'rtmp://127.0.0.1:' . port(8035),
        'http://127.0.0.1:' . port(8080));
}


# ffmpeg's inputs for the clip

sub clip {
    my (%opts) = @_;

    my $size = $opts{size} || '320x180';

    return ('-re', '-f', 'lavfi', '-i', "testsrc2=size=$size:rate=$FPS,"
        . "drawbox=x=0:y=0:w=iw:h=ih:color=white:t=fill:enable='"
        . "lt(mod(n,$FPS),1)'",
        '-re', '-f', 'lavfi', '-i',
        "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':s=44100");
}


sub publish_clip {
    my ($t, $url, %opts) = @_;

    my @codecs = $opts{codecs} ? @{$opts{codecs}}
        : (qw/ -c:v libx264 -preset ultrafast -tune zerolatency
           -pix_fmt yuv420p -b:v 300k /, '-g', $FPS,
           qw/ -c:a aac -b:a 64k /);

    return $t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin -v warning /,
        clip(%opts), @codecs, '-f', 'flv', $url);
}


# Waits until a stream plays.

sub live {
    my ($uri, $timeout) = @_;

    return wait_until(sub {
        (http_status(http_head($uri)) || 0) == 200
    }, $timeout || 20);
}


# Runs a program for at most so many seconds, then interrupts it; gives its
# output and whether it had ended by itself.  stdin: a function that writes.

sub run_for {
    my ($t, $timeout, @command) = @_;

    my $pid = $t->run_daemon(@command);
    my $ended = wait_until(sub { !$t->daemon_alive($pid) }, $timeout);
    my $out;

    unless ($ended) {
        kill 'INT', $pid;
        wait_until(sub { !$t->daemon_alive($pid) }, 5);
    }

    $out = $t->daemon_log($pid);
    $t->stop_daemon($pid, 'KILL') if $t->daemon_alive($pid);

    return wantarray ? ($out, $ended) : $out;
}


# A command line that runs as somebody else where we are root: some clients
# refuse root.  The home directory is one of the test.

sub as_user {
    my ($t, @command) = @_;

    my $home = $t->testdir() . '/home';

    make_path("$home/run");
    my @env = ('env', "HOME=$home", "XDG_RUNTIME_DIR=$home/run",
        "XDG_CONFIG_HOME=$home/config", "XDG_CACHE_HOME=$home/cache");

    return (@env, @command) if $> != 0;

    my (undef, undef, $uid, $gid) = getpwnam('www-data');

    chown $uid, $gid, $home, "$home/run";
    chmod 0700, "$home/run";

    return ('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups',
        @env, @command);
}


# Decodes a recording and tells what is in it: frames, errors, the times of
# the frames and how far beep and flash are apart (ms, beep after flash).

sub analyse {
    my ($file) = @_;

    my (@pts, @flash, @beep, @errors);

    open my $fh, '-|', 'timeout', '120', 'sh', '-c',
        'exec "$@" 2>&1', 'sh', qw/ ffmpeg -hide_banner -nostdin -nostats
        -copyts -i /, $file, qw/ -map 0:v? -map 0:a?
        -fps_mode passthrough -enc_time_base -1 -vf showinfo
        -af silencedetect=n=-30dB:d=0.2 -f null - /
        or return {};

    while (my $line = <$fh>) {

        if ($line =~ /showinfo.* pts_time:\s*(-?[\d.]+).*mean:\[(\d+)/) {
            push @pts, $1;
            push @flash, $1 if $2 > 220;

        } elsif ($line =~ /silence_end: (-?[\d.]+) \| silence_duration: ([\d.]+)/)
        {
            # the end of everything ends a shorter one

            push @beep, $1 if $2 > 0.85;

        } elsif ($line =~ /error|corrupt|missing|invalid|conceal|non.?monoton
                           |discontinu|overread/ix)
        {
            push @errors, $line;
        }
    }

    close $fh;

    my @apart;

    for my $flash (@flash) {
        my ($near) = sort { abs($a - $flash) <=> abs($b - $flash) } @beep;
        push @apart, 1000 * ($near - $flash)
            if defined $near && abs($near - $flash) < 0.4;
    }

    my $gap = 0;

    for my $i (1 .. $#pts) {
        $gap = max($gap, abs($pts[$i] - $pts[$i - 1] - 1 / $FPS));
    }

    return {
        frames => scalar @pts,
        first => $pts[0] // 0,
        last => $pts[-1] // 0,
        gap => 1000 * $gap,
        apart => \@apart,
        flashes => scalar @flash,
        errors => \@errors,
    };
}


# Five tests of a recording of about so many seconds.

sub check_played {
    my ($name, $file, $seconds) = @_;

    my $got = analyse($file);
    my $want = $FPS * $seconds;

    is(join('', @{$got->{errors} || []}), '', "$name: no decode error");

    cmp_ok($got->{frames} || 0, '>=', $want * 0.7, "$name: frames");

    # each frame once, 1/25 s after the other

    is($got->{frames}, int(($got->{last} - $got->{first}) * $FPS + 1.5),
        "$name: every frame once");
    cmp_ok($got->{gap}, '<', 20, "$name: frames in time");

    my @apart = @{$got->{apart} || []};
    my $drift = @apart > 1 ? max(@apart) - min(@apart) : 1000;

    cmp_ok($drift, '<', 40, "$name: drift of " . @apart . ' flashes, ms');

    note(sprintf '%s: %d frames in %.2f s, largest error %.1f ms, beep '
        . 'after flash %.1f .. %.1f ms', $name, $got->{frames},
        $got->{last} - $got->{first}, $got->{gap}, min(@apart, 0),
        max(@apart, 0));

    return $got;
}


# A player of the lock file, by its name, installed where the build is; its
# script has the same name where none is given.

sub script {
    my ($name, @scripts) = @_;

    my $objs = $ENV{TEST_NGINX_OBJS} || "$Test::Nginx::ROOT/objs";

    return packages('client', "$objs/client", map { "$name/dist/$_" }
        @scripts ? @scripts : ($name =~ s/\.js$/.min.js/r, $name));
}


# Installs what the lock file of t/NAME says in a directory; gives the first
# of these files that is there, undef where none is.

sub packages {
    my ($name, $dir, @files) = @_;

    my $from = "$Test::Nginx::ROOT/t/$name";
    my $first = sub {
        my ($file) = grep { -f } map { "$dir/node_modules/$_" } @files;
        return $file;
    };

    return $first->() if $first->()
        && compare("$from/package-lock.json", "$dir/package-lock.json") == 0;

    found('npm');
    make_path($dir);

    copy("$from/$_", "$dir/$_") or return undef
        for qw/ package.json package-lock.json .npmrc /;

    system("cd '$dir' && timeout 120 npm ci --ignore-scripts"
        . ' >npm.log 2>&1 </dev/null');

    return $first->();
}


# Chromium, headless, with a page of the server under test; gives its pid.
# What the page found out comes as a request for /report?key=value&...

sub open_page {
    my ($t, $url) = @_;

    my $profile = $t->testdir() . '/profile-' . ++$profiles;

    make_path($profile);

    return $t->run_daemon('chromium', qw/ --headless --no-sandbox
        --disable-gpu --disable-quic --no-first-run
        --disable-background-networking --disable-component-update
        --disable-sync --disable-dev-shm-usage --mute-audio
        --autoplay-policy=no-user-gesture-required
        --remote-debugging-port=0 /, "--user-data-dir=$profile", $url);
}


# Waits for the report whose arguments match; undef where none came.

sub reported {
    my ($t, $what, $timeout) = @_;

    my $line;

    wait_until(sub {
        ($line) = grep { /$what/ } ($t->read_file('access.log') || '')
            =~ m!GET /report\?(\S*)!g;
        return defined $line;
    }, $timeout);

    return defined $line ? fields($line) : undef;
}


# The arguments of a request as a hash.

sub fields {
    my ($line) = @_;

    my %fields;

    for my $pair (split /&/, $line // '') {
        my ($key, $value) = split /=/, $pair, 2;

        $value //= '';
        $value =~ tr/+/ /;
        $value =~ s/%([0-9A-Fa-f]{2})/chr(hex $1)/ge;
        $fields{$key} = $value;
    }

    return \%fields;
}


1;
