#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Programs that none of us wrote publish and play over SRT, plain and
# encrypted: ffmpeg, srt-live-transmit, GStreamer, mpv, VLC, OBS.  All of them
# run at once; what each publishes is decoded by ffmpeg, and what each plays
# is decoded by itself or from its file.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Client;

use File::Path qw/ make_path /;
use JSON::PP;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

found('ffmpeg', 'srt-live-transmit');

my $secret = 'no man is an island';
my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live srt/);

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }
stream {
    server { listen 127.0.0.1:8035; rtmp { } }
    server { listen 127.0.0.1:8036 udp reuseport; srt { } }
    server {
        listen 127.0.0.1:8037 udp reuseport;
        srt { passphrase "$secret"; pbkeylen 32; }
    }
}
http {
    %%TEST_GLOBALS_HTTP%%
    server { listen 127.0.0.1:8080; location / { flv_live; } }
}
END_OF_CONF

$t->run();

my $seconds = $ENV{TEST_CLIENT_SECONDS} || 6;
my $d = $t->testdir();
my $rtmp = 'rtmp://127.0.0.1:' . port(8035) . '/live';
my $has_gst = !grep { system("gst-inspect-1.0 --exists $_ >/dev/null 2>&1") }
    qw/ srtsink srtsrc mpegtsmux tsdemux h264parse aacparse x264enc
    avenc_aac avdec_h264 /;
my $has_obs = has(qw/ obs Xvfb setpriv /);
my $has_vlc = has('vlc');

# --- publishers

my %pid;

# its clock is ours: everybody else plays this one

my @clip = (qw/ ffmpeg -hide_banner -nostdin -v warning /, Client::clip(),
    qw/ -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p
    -b:v 300k -g 25 -c:a aac -b:a 64k -f mpegts /);

$pid{ffmpeg} = $t->run_daemon(@clip, srt('clip', 'publish'));
$pid{secret} = $t->run_daemon(@clip, srt('secret', 'publish', 1,
    "passphrase=$secret&pbkeylen=32"));

$pid{slt} = $t->run_daemon('sh', '-c', 'url=$1; shift; "$@" -flush_packets 1'
    . ' - | exec srt-live-transmit -q -a:no -chunk:1316 file://con "$url"',
    'sh', srt('slt', 'publish', 1, "passphrase=$secret"), @clip);

if ($has_gst) {
    $pid{gst} = $t->run_daemon('gst-launch-1.0', split(' ',
        'mpegtsmux name=m alignment=7 ! srtsink'), 'uri=srt://127.0.0.1:'
        . port(8037), qw/ mode=caller pbkeylen=32 /, "passphrase=$secret",
        'streamid=#!::r=live/gst,m=publish', split(' ', 'videotestsrc is-live=true pattern=ball !
        video/x-raw,width=320,height=180,framerate=25/1 !
        x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25
        bitrate=300 ! h264parse ! queue ! m.
        audiotestsrc is-live=true wave=sine samplesperbuffer=1024 !
        audio/x-raw,rate=44100,channels=2 ! avenc_aac ! aacparse ! queue
        ! m.'));
}

obs() if $has_obs;

ok(live("/live/$_.flv", 20), "$_ is live") for qw/ clip secret slt /;

# --- players

my %play = (
    'ffmpeg' => save('ffmpeg', srt('clip', 'request')),
    'ffmpeg, encrypted' => save('ffmpeg2', srt('secret', 'request', 1,
        "passphrase=$secret")),
    'srt-live-transmit' => transmit('slt', srt('clip', 'request')),
    'srt-live-transmit, encrypted' => transmit('slt2', srt('secret',
        'request', 1, "passphrase=$secret&pbkeylen=32")),
    'published by srt-live-transmit' => save('slt3', "$rtmp/slt"),
);

if ($has_gst) {
    $play{'GStreamer'} = gst('gst', 'clip', 8036);
    $play{'GStreamer, encrypted'} = gst('gst2', 'secret', 8037,
        "passphrase=$secret", 'pbkeylen=32');
}

my %pictures;

$pictures{mpv} = mpv(srt('clip', 'request')) if has('mpv');
$pictures{'mpv, encrypted'} = mpv(srt('secret', 'request', 1,
    "passphrase=$secret")) if has('mpv');
$pictures{VLC} = vlc('srt://127.0.0.1:' . port(8036)
    . '?streamid=live/clip') if $has_vlc;

# --- who has no secret, or another

for my $case ([ 'a wrong secret', 'passphrase=no man is a wasteland' ],
              [ 'no secret', '' ])
{
    my ($what, $args) = @$case;

    for my $mode (qw/ request publish /) {
        my $url = srt($mode eq 'request' ? 'secret' : $args ? 'x1' : 'x2',
            $mode, 1, $args);
        my @run = $mode eq 'request'
            ? (qw/ ffmpeg -nostdin -v error -i /, $url,
                qw/ -frames:v 1 -f null - /)
            : (@clip, $url);

        my ($out, $ended) = run_for($t, 8, @run);

        ok($ended, "ffmpeg, $mode with $what: ended");
        like($out, qr/rejected|refused|error|failed/i, "it hears of it");
    }
}

my $log = $t->read_file('error.log');
unlike($log, qr!unpublished "live/x\d", [1-9]!, 'and publishes nothing');

# --- what came of it

sleep(2);
wait_until(sub { !grep { $t->daemon_alive($_->{pid}) && time() < $_->{until} }
    values %play, values %pictures }, $seconds + 10);

for my $name (sort keys %play) {
    my $play = $play{$name};

    kill 'INT', $play->{pid};
    $t->wait_daemon($play->{pid}, 5);

    my $file = $play->{file};

    # where the recording was cut off, so was a picture

    if ($file =~ s/\.ts$/.mkv/) {
        system(qw/ ffmpeg -nostdin -v error -y -i /, $play->{file},
            '-t', $seconds - 1, qw/ -c copy /, $file);
    }

    my $got = check_played($name, $file, $seconds - 1);
    next if $name !~ /^GStreamer/;

    # GStreamer decodes them itself as well

    my $rgb = "$play->{file}.rgb";
    my $pid = $t->run_daemon(qw/ timeout 15 gst-launch-1.0 filesrc /,
        "location=$play->{file}", split(' ', "! tsdemux ! video/x-h264 ! queue
        ! h264parse ! avdec_h264 ! videoconvert ! video/x-raw,format=RGB
        ! filesink location=$rgb"));

    $t->wait_daemon($pid, 20);

    cmp_ok((-s $rgb || 0) / (320 * 180 * 3), '>=', $got->{frames} - 10,
        "$name: pictures decoded");
}

for my $name (sort keys %pictures) {
    my $play = $pictures{$name};

    kill 'INT', $play->{pid};
    $t->wait_daemon($play->{pid}, 5);

    my $out = $t->daemon_log($play->{pid});

    cmp_ok($play->{count}->($out), '>=', 25 * $seconds * 0.5,
        "$name: pictures decoded");
    $out =~ s/^.*(?:interface|picture is too late|corrupted +: +0).*\n//mg;
    unlike($out, qr/error|corrupt|invalid|desync/i, "$name: no error");
}

SKIP: {
    skip('no GStreamer with srt', 4) unless $has_gst;
    published('gst', 'GStreamer');
}

SKIP: {
    skip('no OBS', 4) unless $has_obs;
    skip('OBS does not run here', 4) unless live('/live/obs.flv', 20);
    published('obs', 'OBS');
}

# the others are looked for, so that a missing one is seen

for my $client ([ 'mpv', has('mpv') ], [ 'VLC', $has_vlc ])
{
    SKIP: {
        skip("no $client->[0]", 1) unless $client->[1];
        pass($client->[0]);
    }
}

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub has {
    my (@programs) = @_;

    for my $program (@programs) {
        return 0 unless grep { -x "$_/$program" } split /:/, $ENV{PATH};
    }

    return 1;
}

sub srt {
    my ($name, $mode, $encrypted, $more) = @_;

    return 'srt://127.0.0.1:' . port($encrypted ? 8037 : 8036)
        . "?streamid=#!::r=live/$name,m=$mode" . ($more ? "&$more" : '');
}

# ffmpeg keeps what it plays, and ends by itself.

sub save {
    my ($file, $url) = @_;

    return running("$d/$file.mkv", qw/ ffmpeg -hide_banner -nostdin -v warning
        -analyzeduration 1000000 -y -i /, $url, '-t', $seconds,
        qw/ -c copy /, "$d/$file.mkv");
}

sub transmit {
    my ($file, $url) = @_;

    return running("$d/$file.ts", 'sh', '-c', 'exec timeout -s INT "$3"'
        . ' srt-live-transmit -q -a:no "$1" file://con >"$2"', 'sh', $url,
        "$d/$file.ts", $seconds + 2);
}

sub gst {
    my ($file, $name, $port, @opts) = @_;

    return running("$d/$file.ts", qw/ timeout -s INT /, $seconds + 4,
        qw/ gst-launch-1.0 -e srtsrc /, 'uri=srt://127.0.0.1:' . port($port),
        'mode=caller', "streamid=#!::r=live/$name,m=request", @opts,
        '!', 'filesink', "location=$d/$file.ts");
}

sub running {
    my ($file, @command) = @_;

    return { pid => $t->run_daemon(@command), file => $file,
        until => time() + $seconds + 6 };
}

sub mpv {
    my ($url) = @_;

    my $play = running('', qw/ timeout -s INT /, $seconds + 2,
        as_user($t, 'mpv'), qw/ --no-config --no-input-terminal --vo=null
        --ao=null --term-osd=no /, '--msg-level=all=warn,statusline=status',
        '--term-status-msg=frame=${=estimated-frame-number}\n', $url);

    $play->{count} = sub {
        my @frame = $_[0] =~ /frame=(\d+)/g;
        return $frame[-1] || 0;
    };

    return $play;
}

# Debian's VLC comes without its plugin for SRT: srt-live-transmit goes before.
# What is behind a "#" VLC takes for its own.

sub vlc {
    my ($url) = @_;

    unless (() = glob('/usr/lib/*/vlc/plugins/access/libaccess_srt_*.so')) {
        $t->run_daemon(qw/ srt-live-transmit -q -a:no /, $url,
            'udp://127.0.0.1:' . port(8040));
        $url = 'udp://@127.0.0.1:' . port(8040);
    }

    my $play = running('', 'sh', '-c', 's=$1; shift;
        { sleep $s; echo stats; sleep 1; echo quit; sleep 1; } | exec "$@"',
        'sh', $seconds + 1, as_user($t, 'vlc'), qw/ -I rc --rc-fake-tty
        --no-color --vout vdummy --aout adummy --network-caching=500 /, $url);

    $play->{count} = sub { return $_[0] =~ /video decoded\s*:\s*(\d+)/
        ? $1 : 0 };

    return $play;
}

# What somebody publishes, played by ffmpeg over SRT and decoded.

sub published {
    my ($name, $what) = @_;

    ok(live("/live/$name.flv", 10), "$what publishes");

    my $out = run_for($t, 20, qw/ ffmpeg -hide_banner -nostdin -v warning
        -analyzeduration 1000000 -y -i /, srt($name, 'request'), qw/ -t 4
        -c copy /, "$d/$name.mkv");

    my $got = Client::analyse("$d/$name.mkv");

    is(join('', @{$got->{errors} || []}), '', "$what: no decode error");
    cmp_ok($got->{frames} || 0, '>=', 80, "$what: pictures decoded");
    is($got->{frames}, int(($got->{last} - $got->{first}) * 25 + 1.5),
        "$what: every picture once");
}

# OBS plays the clip from a file and streams it; it is configured as it would
# have done it by itself.

sub obs {
    my @film = grep { $_ ne '-re' } Client::clip(size => '640x360');

    system('ffmpeg', qw/ -hide_banner -nostdin -v error -y /, @film, qw/ -t 30
        -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -c:a aac /,
        "$d/clip.mp4") == 0 or die "no clip\n";
    chmod 0644, "$d/clip.mp4";

    my @obs = as_user($t, 'obs');
    my ($display) = grep { !-e "/tmp/.X$_-lock" }
        map { $$ % 1000 + $_ } 100 .. 199;

    configure("$d/home/config/obs-studio");
    system('chown', '-R', 'www-data:www-data', "$d/home") if $> == 0;

    $t->run_daemon('Xvfb', ":$display", qw/ -screen 0 1280x720x24
        -nolisten tcp /);
    wait_until(sub { -e "/tmp/.X11-unix/X$display" }, 10);

    my @env = splice @obs, 0, @obs - 1;

    $pid{obs} = $t->run_daemon(@env, "DISPLAY=:$display",
        'LIBGL_ALWAYS_SOFTWARE=1', 'QT_QPA_PLATFORM=xcb', @obs, qw/ --multi
        --startstreaming --profile Test --collection Test --disable-updater
        --minimize-to-tray /);
}

sub configure {
    my ($dir) = @_;

    make_path("$dir/basic/profiles/Test", "$dir/basic/scenes");

    put("$dir/global.ini", "[General]\nFirstRun=true\nLastVersion=486539264\n"
        . "EnableAutoUpdates=false\nConfirmOnExit=false\n\n[Basic]\n"
        . "Profile=Test\nProfileDir=Test\nSceneCollection=Test\n"
        . "SceneCollectionFile=Test\n");

    put("$dir/basic/profiles/Test/basic.ini", "[General]\nName=Test\n\n"
        . "[Video]\nBaseCX=640\nBaseCY=360\nOutputCX=640\nOutputCY=360\n"
        . "FPSType=1\nFPSInt=25\n\n[Audio]\nSampleRate=44100\n"
        . "ChannelSetup=Stereo\n\n[Output]\nMode=Simple\nReconnect=false\n\n"
        . "[SimpleOutput]\nVBitrate=500\nABitrate=96\nStreamEncoder=x264\n"
        . "UseAdvanced=true\nPreset=ultrafast\nx264Settings=keyint=25\n");

    put("$dir/basic/profiles/Test/service.json", encode_json({
        type => 'rtmp_custom',
        settings => { server => srt('obs', 'publish'), key => '',
                      use_auth => JSON::PP::false },
    }));

    put("$dir/basic/scenes/Test.json", encode_json({
        name => 'Test',
        current_scene => 'Scene',
        current_program_scene => 'Scene',
        scene_order => [ { name => 'Scene' } ],
        sources => [
            { id => 'ffmpeg_source', name => 'Clip', volume => 1.0,
              mixers => 255, enabled => JSON::PP::true,
              settings => { local_file => "$d/clip.mp4",
                            looping => JSON::PP::true,
                            hw_decode => JSON::PP::false } },
            { id => 'scene', name => 'Scene', enabled => JSON::PP::true,
              settings => { id_counter => 1, items => [
                  { id => 1, name => 'Clip', visible => JSON::PP::true,
                    pos => { x => 0, y => 0 }, scale => { x => 1, y => 1 } }
              ] } },
        ],
    }));
}

sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $text;
    close $fh;
}
