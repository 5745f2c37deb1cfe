#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The console in headless Chromium: a stream appears, plays, is kicked and
# recorded; languages, light and dark, a phone, many streams, hostile names.
# t/console/drive.mjs does it with Playwright; the configuration is
# conf/nginx.conf with other ports and places, so that its policy of content
# is what is tested.  Screenshots are left in objs/console-test/pictures.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Client;

use File::Copy qw/ copy /;
use File::Path qw/ make_path /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

found(qw/ chromium node npm make /);

my $root = $Test::Nginx::ROOT;
my $objs = $ENV{TEST_NGINX_OBJS} || "$root/objs";

my $modules = packages('console', "$objs/console-test",
    'playwright-core/package.json');

plan(skip_all => 'no playwright-core') unless $modules;
plan(skip_all => 'no libraries for the console')
    if system("make -s -C '$root' console OBJS='$objs' >/dev/null 2>&1");

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live hls/)
    ->has_daemon('ffmpeg');
my $d = $t->testdir();

for my $dir ('', qw! js/ vendor/ !) {
    make_path("$d/console/$dir");
    copy($_, "$d/console/$dir") for grep { -f } glob("$root/console/$dir*");
}

system('chmod', '-R', 'a+rX', "$d/console");
mkdir "$d/$_" && chmod 0777, "$d/$_" for qw/ html rec /;

$t->write_file_expand('nginx.conf', configuration());
$t->run();

my $http = 'http://127.0.0.1:' . port(8080);
my $plain = 'http://127.0.0.1:' . port(8081);
my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};

like(http_get('/console/'), qr/^Content-Security-Policy: default-src 'self';/m,
    'content is only from here');
unlike(join('', map { slurp($_) } glob("$d/console/js/*.js")),
    qr/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/,
    'no text becomes HTML');
unlike(slurp("$root/console/package-lock.json")
    . slurp("$root/t/console/package-lock.json"), qr!https?://!,
    'lock files name no host');

drive();

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

# The server of users, with an application that may be recorded where that is
# there, twice: with and without the right to change something.

sub configuration {
    my $text = slurp("$root/conf/nginx.conf");
    my %ports = (1935 => 8035, 8080 => 8080, 1985 => 8085);

    $text =~ s/^(load_module|pid|error_log) [^;]+;\n//mg;
    $text =~ s/^\s+(access_log|\w+_temp_path) [^;]+;\n//mg;
    $text =~ s/^worker_processes \d+;/worker_processes %%WORKERS%%;/m;
    $text =~ s/listen (\d+);/listen 127.0.0.1:$ports{$1};/g;
    $text =~ s/listen 10080 udp/listen 127.0.0.1:%%PORT_8010_UDP%% udp/;
    $text =~ s/^stream \{\n/$&    server { listen 127.0.0.1:%%PORT_8010_UDP%% udp reuseport; srt { } }\n/m
        if $t->has_module('srt') && $text !~ /^\s+srt \{/m;
    $text =~ s/^http \{/http {\n%%TEST_GLOBALS_HTTP%%/m;
    $text =~ s!alias console/!alias $d/console/!g;
    $text =~ s!root objs/run/html!root $d/html!g;
    $text =~ s!objs/run/rec/!$d/rec/!g;
    $text =~ s!^media \{\n!$&    dvr_path $d/rec/[app]/[stream].[timestamp].mp4;\n!m;
    $text =~ s!objs/run/!$d/!g;
    $text =~ s!^    (server \{\s+listen 127\.0\.0\.1:8080;.*?^    \})!
        my $server = $1;
        my $other = $server =~ s/:8080/:8081/r;
        $server =~ s/media_api;/media_api write;/;
        "    $server\n    $other"!mse;

    return "%%TEST_GLOBALS%%\ndaemon off;\n$text";
}

sub drive {
    my $pictures = "$objs/console-test/pictures";

    open my $fh, '-|', 'timeout', '-k', '5', '150', 'sh', '-c',
        'cd "$1" && shift && exec "$@" 2>&1', 'sh', "$objs/console-test",
        'node', "$root/t/console/drive.mjs", "$http/console/", $plain,
        $chromium, $pictures, "$d/console", port(8035),
        $t->has_module('srt') ? port(8010) : ''
        or die "node: $!\n";

    while (my $line = <$fh>) {
        chomp $line;

        if ($line =~ /^(not )?ok (.*?)(?: # (.*))?$/) {
            ok(!$1, $2) or diag($3 // '');

        } elsif ($line =~ /^do publish (\w+)/) {
            publish($1);

        } elsif ($line =~ m!^do srt (srt://\S+)$!) {
            $t->publish($1, format => 'mpegts');

        } else {
            note($line);
        }
    }

    close $fh;
    is($?, 0, 'the driver has ended');
}

sub publish {
    my ($name) = @_;

    # a name with blanks can not stand in ffmpeg's URL

    my ($url, @key) = $name eq 'hostile' ? ('/', '-rtmp_app', 'live',
        '-rtmp_playpath', '<img src=x onerror=alert(1)>') : "/live/$name";

    publish_clip($t, 'rtmp://127.0.0.1:' . port(8035) . $url,
        codecs => [@key, qw/ -c:v libx264 -preset ultrafast -tune zerolatency
        -profile:v baseline -pix_fmt yuv420p -b:v 300k -g 25 -c:a aac
        -b:a 64k /]);
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return <$fh>;
}
