#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings under load and in bad hands: fifty streams at once in all formats,
# each with all of its frames; names that want to leave dvr_path, links that
# are planted in it, streams that want the same file.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::DVR;
use Test::Nginx::Hook;
use Test::Nginx::Torture;
use Test::RTMP;

use Digest::MD5 qw/ md5_hex /;
use File::Find qw/ find /;
use List::Util qw/ min /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live threads /)
    ->has_daemon('ffmpeg', 'ffprobe');

my $dir = $t->testdir();

$t->write_file_expand('nginx.conf', <<"EOC");
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;

events { }

media {
    zone            64m;
    republish_wait  300ms;
    idle_timeout    1s;
    publish_timeout 20s 20s;
    dvr_gap         500ms;

    on_dvr http://127.0.0.1:8085/dvr;

    dvr on;
    dvr_path $dir/any/[vhost]/[app]/[stream].flv;

    application flv { dvr_path $dir/rec/[app]/[stream].flv; }
    application mp4 { dvr_path $dir/rec/[app]/[stream].[timestamp].mp4; }
    application ts  { dvr_path $dir/rec/[app]/[stream].ts; }

    application sym   { dvr_path $dir/links/[app]/[stream].flv; }
    application plain { dvr_path $dir/links/[app]/[stream].flv; }
    application hub   { dvr_path $dir/hub/[stream].flv; }
    application off   { dvr off; }
    application clash { dvr_path $dir/clash/[app].flv; }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location / { flv_live; }
        location /api/ { media_api write; }
    }
}
EOC

# what is planted

mkdir "$dir/$_" for qw/ outside links links\/plain hub /;
chmod 0777, "$dir/$_" for qw/ outside links links\/plain hub /;
symlink "$dir/outside", "$dir/links/sym";
symlink "$dir/outside", "$dir/hub/.dvr";
symlink "$dir/outside/file", "$dir/links/plain/file.flv";

# the journal of a stream, beforehand

my $md5 = md5_hex('__defaultVhost__/plain/open');

mkdir "$dir/links/$_" for '.dvr', '.dvr/open', ".dvr/$md5";
symlink "$dir/outside/open", "$dir/links/.dvr/open/$md5";
symlink "$dir/outside/names", "$dir/links/.dvr/$md5/names";
symlink "$dir/outside", "$dir/links/.dvr/"
    . md5_hex('__defaultVhost__/plain/dir');

chown((getpwnam 'www-data')[2, 3], map { "$dir/links/$_" } '.dvr',
    '.dvr/open', ".dvr/$md5") if $> == 0;

my $disk = slow_disk($t, "$dir/rec");

$disk ? $disk->run() : $t->run();

my $hook = Test::Nginx::Hook->new($t, port(8085));
my $m = media($t, 'clip', seconds => 5, gop => 20, rate => '100k');
my $all = $#{$m->{frames}};
my $was = workers_state($t);

###############################################################################

# fifty at once

my @names = map { (qw{ flv mp4 ts })[$_ % 3] . "/s$_" } 1 .. 50;
my $sent = sender($t, $m, names => [ 'off/x', @names ], watch => 4,
    control => 'off/x')->end(whole => 1);

is($sent->{said}, '', 'fifty streams are published');
is($sent->{gone}, 0, 'players stay');
cmp_ok($sent->{late}, '<', 100 + ($sent->{control} || 0),
    'no frame is late for them, ms');
note("at most $sent->{late} ms, of a stream beside $sent->{control} ms");

my @dvr = $hook->wait_for('/dvr', 50, 20);

is(scalar(@dvr), 50, 'on_dvr fifty times');

my @files = recordings("$dir/rec");

is(scalar(@files), 50, 'fifty files');
is(join(' ', sort map { $_->{json}{file} } @dvr), join(' ', @files),
    'of those that are there');

my (@faults, %of);

for my $file (@files) {
    my $r = recording($m, $file);
    my ($name) = $file =~ m!/(\w+/s\d+)[^/]*$!;

    push @faults, "$name: $r->{fault}" if $r->{fault};

    my $lacks = lacks($m, [ 0, $all ], $r);

    push @faults, "$name: $lacks" if $lacks;
    $of{$name}++;
}

splice @faults, 5 if @faults > 5;
is(join("\n", @faults), '', 'each has every frame, in order and in time');
is(join(' ', sort keys %of), join(' ', sort @names), 'and its name');

for my $name (@names[0 .. 2]) {
    my ($file) = grep { m!/$name\b! } @files;

    is(plays($file // 'none'), '', "$name plays");
}

if ($disk) {
    my %calls;

    $calls{$_}++ for map { s/\d+/N/gr } $disk->blocking($t->all_workers());
    is(join(', ', map { "$_: $calls{$_}" } sort keys %calls), '',
        'no worker waits for the disk');
}

###############################################################################

# names

my @hostile = ('..', '.', '...', '../x', 'a/../../b', '/etc/x', '//x', 'a//b',
    '../../../../../../../../../tmp/nginx-dvr-x', '%2e%2e/x', '%2e%2e',
    '..%2fx', '.hidden', '.dvr', '.dvr/x', 'a/.dvr/open', '..\\x', 'a\\..\\b',
    'x' x 255, 'x' x 251, 'y' x 250, "n\x{c3}\x{bc}l", "a\nb", "a\tb",
    "\xff\xfe", 'a b', '[stream]', '$media_stream', 'a;b', "a'b", 'a"b',
    '`id`', '-rf', '*', '~', 'con', "x\x00y", 'a/', 'b/c/d');

attack('names', sub {
    for my $name (@hostile) {
        eval { short('any', $name) };
        last if $@ && $@ =~ /too long/;
    }

    for my $app ('..', '../..', '.dvr', '.', 'a/../../b', '%2e%2e',
        'x' x 250)
    {
        eval { short($app, 'x') };
    }

    eval { short('any', 'host', host => '..') };
    eval { short('any', 'host', host => '../../x') };
});

sleep 1.5;

my @strange = grep { !m!^\Q$dir\E/any/__defaultVhost__/[^/.][^/]*/! }
    recordings("$dir/any");

is(join(' ', @strange), '', 'files are where they are to be');

my @any = recordings("$dir/any");

cmp_ok(scalar(@any), '>', 8, 'there are some');
is(join(' ', grep { m!/\.! } map { s!^\Q$dir\E/any!!r } @any), '',
    'no level begins with a dot');
is(join(' ', grep { m!/(nginx-dvr-x|b\.flv)! && !m!/any/! } outside()), '',
    'nothing elsewhere');
ok(!-e '/tmp/nginx-dvr-x.flv', 'nor there');

###############################################################################

# links

short('sym', 'x');
short('plain', 'file');
short('plain', 'open');
short('plain', 'dir');
short('hub', 'x');
short('plain', 'well');

ok(wait_until(sub { grep { $_->{json}{stream} eq 'well' }
    $hook->requests('/dvr') }, 10), 'beside them it records');

is(join(' ', outside()), '', 'nothing is written through a link');
ok(-l "$dir/links/sym" && -l "$dir/links/plain/file.flv"
    && -l "$dir/hub/.dvr" && -l "$dir/links/.dvr/open/$md5",
    'which are still there');

my $log = $t->read_file('error.log');

like($log, qr/\[(?:error|crit)\].*sym\/x/, 'the log tells of it');

###############################################################################

# one name for many

$hook->forget();

$sent = sender($t, $m, names => [ 'clash/a', 'clash/b' ], to => 150,
    speed => 4)->end(whole => 1);
sender($t, $m, names => [ 'clash/c' ], to => 150, speed => 4)
    ->end(whole => 1);

$hook->wait_for('/dvr', 3);

@files = recordings("$dir/clash");

is(join(' ', map { s!.*/!!r } @files), 'clash-1.flv clash-2.flv clash.flv',
    'each has a file');

for my $file (@files) {
    my $r = recording($m, $file);

    is($r->{fault} || lacks($m, [ 0, 150 ], $r), '', "$file: all frames");
}

# what asks the hooks has opened some for itself

$_ += 6 for values %{$was->{fds}};

is(workers_back($t, $was), '', 'everything is given back');

$t->stop();

done_testing();

###############################################################################

# Two seconds of a stream, at once.

sub short {
    my ($app, $name, %o) = @_;

    my $c = client(undef, chunk => 65536);

    $c->connect($app, %o);
    $c->create_stream();
    $c->command_on($c->{msid}, 'publish', 0, undef, $name, 'live');

    my $m = $c->expect(sub { ($_[0]{values} || [''])->[0] eq 'onStatus' }, 1);

    return unless $m && $m->{body} =~ /Publish\.Start/;

    $c->video(0, Test::RTMP::avc_config());
    $c->audio(0, Test::RTMP::aac_config());

    for my $n (0 .. 49) {
        $c->video($n * 40, $n % 25 ? Test::RTMP::avc_inter($n)
            : Test::RTMP::avc_key($n));
        $c->audio($n * 40, Test::RTMP::aac_frame($n));
    }

    $c->command('deleteStream', 0, undef, Test::RTMP::num($c->{msid}));
    $c->closed(0.02);
    $c->close();
}

sub outside {
    my @files;

    find({ no_chdir => 1, wanted => sub { push @files, $_ if !-d $_ } },
        "$dir/outside");

    return @files;
}

###############################################################################
