#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# OBS Studio publishes, under Xvfb: it plays the clip from a file and streams
# it.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Client;

use File::Path qw/ make_path /;
use JSON::PP;

select STDERR; $| = 1;
select STDOUT; $| = 1;

found('obs', 'Xvfb', 'setpriv');

my ($t, $rtmp) = server();
my $seconds = seconds();
my $d = $t->testdir();

# the clip, as a file that OBS can repeat

my @clip = grep { $_ ne '-re' } Client::clip(size => '640x360');

system('ffmpeg', qw/ -hide_banner -nostdin -v error -y /, @clip, qw/ -t 30
    -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -c:a aac /,
    "$d/clip.mp4") == 0 or die "no clip\n";
chmod 0644, "$d/clip.mp4";

my @obs = as_user($t, 'obs');
configure("$d/home/config/obs-studio");
system('chown', '-R', 'www-data:www-data', "$d/home") if $> == 0;

my ($display) = grep { !-e "/tmp/.X$_-lock" } map { $$ % 1000 + $_ } 100 .. 199;

my $x = $t->run_daemon('Xvfb', ":$display", qw/ -screen 0 1280x720x24
    -nolisten tcp /);
ok(wait_until(sub { -e "/tmp/.X11-unix/X$display" }, 10), 'Xvfb');

my @env = splice @obs, 0, @obs - 1;

my $pid = $t->run_daemon(@env, "DISPLAY=:$display", 'LIBGL_ALWAYS_SOFTWARE=1',
    'QT_QPA_PLATFORM=xcb', @obs, qw/ --multi --startstreaming --profile Test
    --collection Test --disable-updater --minimize-to-tray /);

SKIP: {
    my $ok = live('/live/obs.flv', 60);

    unless ($ok) {
        my ($why) = $t->daemon_log($pid) =~ /^(.*(?:error|fail).*)$/im;
        skip('OBS does not run here: ' . ($why || 'no stream'), 5)
            if $t->daemon_log($pid) !~ /rtmp/i;
    }

    ok($ok, 'OBS streams');

    my $out = run_for($t, $seconds + 15, 'ffmpeg', qw/ -hide_banner -nostdin
        -v warning -y -i /, "$rtmp/live/obs", '-t', $seconds, qw/ -c copy /,
        "$d/obs.mkv");
    is($out, '', 'no warning');

    my $got = Client::analyse("$d/obs.mkv");
    my @apart = @{$got->{apart} || []};

    is(join('', @{$got->{errors} || []}), '', 'no decode error');
    cmp_ok($got->{frames} || 0, '>=', 25 * $seconds * 0.5, 'frames');

    cmp_ok(@apart > 1 ? abs($apart[-1] - $apart[0]) : 1000, '<', 40,
        'drift, ms');

    note(sprintf '%d frames, beep after flash: %s ms', $got->{frames} || 0,
        join ' ', map { sprintf '%.0f', $_ } @apart);
}

$t->stop_daemon($pid);
$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

# A profile and a scene as OBS itself would have written them.

sub configure {
    my ($dir) = @_;

    make_path("$dir/basic/profiles/Test", "$dir/basic/scenes");

    put("$dir/global.ini", <<'END_OF_INI');
[General]
FirstRun=true
LastVersion=486539264
EnableAutoUpdates=false
ConfirmOnExit=false

[Basic]
Profile=Test
ProfileDir=Test
SceneCollection=Test
SceneCollectionFile=Test
END_OF_INI

    put("$dir/basic/profiles/Test/basic.ini", <<'END_OF_INI');
[General]
Name=Test

[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSType=1
FPSInt=25

[Audio]
SampleRate=44100
ChannelSetup=Stereo

[Output]
Mode=Simple
Reconnect=false

[SimpleOutput]
VBitrate=500
ABitrate=96
StreamEncoder=x264
UseAdvanced=true
Preset=ultrafast
x264Settings=keyint=25
END_OF_INI

    put("$dir/basic/profiles/Test/service.json", encode_json({
        type => 'rtmp_custom',
        settings => { server => "$rtmp/live", key => 'obs',
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
