#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# HLS on disk: files that play by themselves and through nginx's static files,
# names from templates, cleanup and disposal, reloads, the death of the
# publisher's worker, restarts, and disks that are full, slow, or not there.
# Live goes on in each case.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;

use Digest::MD5 qw/ md5_hex /;
use Fcntl qw/ :flock /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/)
    ->has_daemon('ffmpeg', 'ffprobe');

my $dir = $t->testdir();

# configurations that are refused

for my $case (
    [ 'hls_path a; hls_path b;', 'duplicate' ],
    [ 'hls_path "";', 'directory' ],
    [ 'hls_m3u8_file [app].m3u8;', 'the same for all streams' ],
    [ 'hls_m3u8_file [stream]-[seq].m3u8;', 'would change' ],
    [ 'hls_m3u8_file ../[stream].m3u8;', 'unknown or invalid "\."' ],
    [ 'hls_ts_file [stream].ts;', 'two files' ],
    [ 'hls_ts_file [strem]-[seq].ts;', 'unknown or invalid "\[strem\]"' ],
    [ 'hls_ts_file $stream-[seq].ts;', 'unknown or invalid "\$stream"' ],
    [ 'hls_ts_file [stream]-[seq].ts; hls_ts_file x;', 'duplicate' ],
    [ 'hls_entry_prefix "a b";', 'beginning of a URL' ],
    [ 'hls_dispose x;', 'invalid time' ],
    [ 'hls_cleanup yes;', 'must be' ],
    [ 'hls_key_file [app]/[stream].key;', 'say \\[seq\\]' ],
    [ 'hls_key_file [seq].key;', 'say \\[stream\\]' ],
    [ 'hls_recover 1;', 'must be' ],
) {
    my ($line, $what) = @$case;

    $t->write_file_expand('refused.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
events { }
media { application x { $line } }
END_OF_CONF

    my ($status, $text) = $t->test_config('refused.conf');

    ok($status != 0, "$line is refused");
    like($text, qr/emerg.*$what.*refused\.conf:\d+/, "$line: why and where");
}

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 128m;
    republish_wait 2s;
    hls_fragment 1s;
    hls_window 5s;
    hls_dispose 4s;

    application live { hls_path $dir/hls; }

    application ts {
        hls_container mpegts;
        hls_path $dir/hls;
        hls_m3u8_file [vhost]/[app]/[stream].m3u8;
        hls_ts_file [vhost]/[app]/[stream]/[2006]-[seq]-[duration].ts;
        hls_cleanup off;
    }

    application cdn { hls_path $dir/hls; hls_entry_prefix http://cdn/x; }
    application fresh { hls_path $dir/hls; hls_recover off; }
    application keep { hls_path $dir/hls; hls_dispose 0; hls_window 20s; }
    application tracks { hls_path $dir/hls; dash on; }
    application sym { hls_path $dir/hls; }
    application bad { hls_path $dir/bad; }
    application full { hls_path $dir/full; }
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

    server {
        listen 127.0.0.1:8081;
        types { application/vnd.apple.mpegurl m3u8; }
        root $dir/hls;
    }
}
END_OF_CONF

$t->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $disk = "$dir/hls";

# files

my $pid = $t->publish("$rtmp/live/x");
my $other = $t->publish("$rtmp/ts/y", duration => 12);

ok(wait_until(sub { listed('live/x.m3u8') >= 4 }, 40), 'a playlist on disk');

my $p = on_disk('live/x.m3u8');

is(scalar(grep { ! -s "$disk/live/$_->{uri}" } @{$p->{segments}}), 0,
    'all segments that it lists');
like($p->{segments}[0]{uri}, qr/^x-\d+\.m4s$/, 'their names');
like($p->{init}, qr/^x-[0-9a-f]{8}\.mp4$/, 'name of the init segment');
ok($p->{segments}[0]{date}, 'dates');
unlike($p->{text}, qr/EXT-X-PART|PRELOAD|ENDLIST/, 'no low latency, no end');

my $f = decoded_frames("$disk/live/x.m3u8", '-live_start_index', 0,
    '-read_intervals', '%+3');

cmp_ok($f->{video} // 0, '>=', 50, 'plays from disk: video');
cmp_ok($f->{audio} // 0, '>=', 80, 'plays from disk: audio');
is($f->{errors}, '', 'plays from disk: no errors');

my $reply = get('/live/x.m3u8', port => 8081);

is($reply->{status}, 200, 'served by nginx\'s static files');
is(get("/live/$p->{segments}[-1]{uri}", port => 8081)->{status}, 200,
    'with its segments');

# the same in another container, by other names, all kept

ok(wait_until(sub { listed('localhost/ts/y.m3u8') >= 3
    || listed('__defaultVhost__/ts/y.m3u8') >= 3 }, 20), 'MPEG-TS');

my ($vhost) = map { m!/([^/]+)/ts$! } glob "$disk/*/ts";

$p = on_disk("$vhost/ts/y.m3u8");

like($p->{segments}[0]{uri}, qr!^y/20\d\d-\d+-\d{3,4}\.ts$!,
    'fields of a template');

$f = decoded_frames("$disk/$vhost/ts/y.m3u8", '-live_start_index', 0,
    '-read_intervals', '%+2');

cmp_ok($f->{video} // 0, '>=', 40, 'MPEG-TS plays from disk');

# cleanup

my @before = segments_of('live');

ok(wait_until(sub { ! -e $before[0] && ! -e $before[1] }, 15),
    'what left the playlist is deleted');
cmp_ok(scalar(segments_of('live')), '<=', 5 + 3 + 3, 'no more is kept');
is(missing('live/x.m3u8'), 0, 'and nothing that is listed');

$t->wait_daemon($other, 30);

cmp_ok(scalar(glob_count("$disk/$vhost/ts/y/*.ts")), '>=', 9,
    'hls_cleanup off keeps all');

# the end: ENDLIST after republish_wait, then disposal

ok(wait_until(sub { (on_disk("$vhost/ts/y.m3u8") || {})->{ended} }, 15),
    'the end is told');
ok(wait_until(sub { ! -e "$disk/$vhost/ts/y.m3u8" }, 15), 'then it goes');

# reload: nothing is missed

my $seen = follow('live/x.m3u8', 8, { 2 => \&hup, 4 => \&hup });

is($seen->{missed}, '', 'reload: numbers without a hole');
is($seen->{discontinuities}, 0, 'reload: no discontinuity');
is(missing('live/x.m3u8'), 0, 'reload: all files are there');

# the publisher's worker dies, the encoder comes back to another one

$p = on_disk('live/x.m3u8');
kill_one(publisher_worker('x'));
sleep 0.5;
$pid = $t->publish("$rtmp/live/x");

ok(wait_until(sub { (on_disk('live/x.m3u8')->{last} // 0) > $p->{last} + 3 },
    25), 'death of a worker: it goes on');

my $q = on_disk('live/x.m3u8');

cmp_ok($q->{discontinuities} || 0, '>=', 1, 'with a discontinuity');
is(missing('live/x.m3u8'), 0, 'all files are there');
is(doubles('live/x.m3u8'), 0, 'none twice');
is(backwards('live/x.m3u8'), '', 'in their order');

my $live = playlist('/live/x.hls.0.m3u8');

ok(@{$live->{segments}} >= 3, 'live plays');

# a disk that is slow: whoever holds the lock of the journal holds a thread

my $journal = "$disk/.hls/" . md5_hex('live/x.m3u8');

open my $fh, '+<', $journal or die "$journal: $!\n";
flock($fh, LOCK_EX);

$p = on_disk('live/x.m3u8');

my $from = playlist('/live/x.hls.0.m3u8')->{last};

ok(wait_until(sub { lines('is too slow') }, 30), 'slow disk: it is told');
cmp_ok(playlist('/live/x.hls.0.m3u8')->{last}, '>', $from + 5,
    'slow disk: live goes on');
is(on_disk('live/x.m3u8')->{last}, $p->{last}, 'slow disk: nothing is written');

close $fh;

ok(wait_until(sub { on_disk('live/x.m3u8')->{last} > $p->{last} + 3 }, 15),
    'slow disk: goes on by itself');
is(lines('is too slow'), 1, 'slow disk: one line');
ok(lines('written to disk again'), 'slow disk: the end of it is told');
is(missing('live/x.m3u8'), 0, 'slow disk: all files are there');

# a path that is not writable: a file is where a directory should be

$t->write_file('bad/bad', 'a file');

# nor do names and links lead anywhere else

mkdir "$dir/outside";
chmod 0777, "$dir/outside";
symlink "$dir/outside", "$disk/sym";

my $bad = $t->publish("$rtmp/bad/x", duration => 8);
my $sym = $t->publish("$rtmp/sym/x", duration => 6);
my $dot = $t->publish("$rtmp/live/.x", duration => 6);
my $tracks = $t->publish("$rtmp/tracks/x");

ok(wait_until(sub { lines(qr!bad/x-\d+\.m4s" can not be written|bad/x-.*mp4!)
    }, 15), 'not writable: it is told');
ok(hls_live('/bad/x.hls.0.m3u8', 2), 'not writable: live goes on');

$t->wait_daemon($bad, 20);

is(lines(qr!/bad/bad/!), 1, 'not writable: one line');
ok(lines('no name that a file may have'), 'a name with a dot before it');
is(glob_count("$dir/outside/*"), 0, 'a link is not followed');
is(glob_count("$disk/live/.x*"), 0, 'no hidden files');

# a playlist for each rendition, and one over them

ok(wait_until(sub { listed('tracks/x.v0.m3u8') >= 3 }, 20), 'renditions');

my $master = slurp("$disk/tracks/x.m3u8");

like($master, qr/^#EXT-X-STREAM-INF:.*\nx\.v0\.m3u8$/m, 'of video');
like($master, qr/^#EXT-X-MEDIA:TYPE=AUDIO.*URI="x\.a\d\.m3u8"/m, 'of audio');

$f = decoded_frames("$disk/tracks/x.m3u8", '-live_start_index', 0,
    '-read_intervals', '%+2');

cmp_ok($f->{video} // 0, '>=', 40, 'renditions play from disk: video');
cmp_ok($f->{audio} // 0, '>=', 60, 'renditions play from disk: audio');

$t->stop_daemon($tracks);

# a full disk

SKIP: {
    skip 'no tmpfs here', 5 unless $> == 0
        && system("mount -t tmpfs -o size=600k tmpfs $dir/full 2>/dev/null")
           == 0;

    chmod 0777, "$dir/full";
    fill("$dir/full/fill", 480);

    my $full = $t->publish("$rtmp/full/x");

    ok(wait_until(sub { lines('No space left') }, 30), 'full disk: told');
    ok(hls_live('/full/x.hls.0.m3u8', 3), 'full disk: live goes on');

    my $n = (parse($t->read_file('full/full/x.m3u8') || '')->{last}) // 0;

    unlink "$dir/full/fill";

    ok(wait_until(sub { (parse($t->read_file('full/full/x.m3u8'))->{last}
        // 0) > $n + 2 }, 20), 'full disk: goes on when there is room');
    is(lines('No space left'), 1, 'full disk: one line');

    $t->stop_daemon($full);

    ok(wait_until(sub { ! -e "$dir/full/full/x.m3u8" }, 20),
        'full disk: disposal');

    system("umount -l $dir/full 2>/dev/null");
}

# restart of nginx

my $cdn = $t->publish("$rtmp/cdn/x");
my $keep = $t->publish("$rtmp/keep/x");
my $fresh = $t->publish("$rtmp/fresh/x");

ok(wait_until(sub { listed('cdn/x.m3u8') >= 2 && listed('keep/x.m3u8') >= 3
    && listed('fresh/x.m3u8') >= 2 }, 30), 'three more');

like(on_disk('cdn/x.m3u8')->{segments}[0]{uri}, qr!^http://cdn/x/cdn/x-\d!,
    'hls_entry_prefix');

$t->stop();

my %last = map { $_ => on_disk("$_/x.m3u8") } qw/ live keep cdn fresh /;

$t->run();

ok(! -e "$disk/live/x.m3u8" || !on_disk('live/x.m3u8')->{ended},
    'restart: the stream may come back');

my @again = map { $t->publish("$rtmp/$_/x") } qw/ keep cdn fresh /;

ok(wait_until(sub { (on_disk('keep/x.m3u8')->{last} // 0)
    > $last{keep}{last} + 3 }, 30), 'restart: goes on');

$q = on_disk('keep/x.m3u8');

cmp_ok($q->{msn}, '<=', $last{keep}{last}, 'recovered: the old ones are there');
is($q->{discontinuities}, 1, 'recovered: with one discontinuity');
is(missing('keep/x.m3u8'), 0, 'recovered: all files are there');

$f = decoded_frames("$disk/keep/x.m3u8", '-live_start_index', 0,
    '-read_intervals', '%+5');

cmp_ok($f->{video} // 0, '>=', 75, 'recovered: plays');

ok(wait_until(sub { (on_disk('fresh/x.m3u8')->{msn} // 0)
    > $last{fresh}{last} }, 20), 'hls_recover off begins anew');
is(on_disk('fresh/x.m3u8')->{discontinuities} || 0, 0, 'without a break');
is(scalar(grep { -e "$disk/fresh/$_->{uri}" }
    @{$last{fresh}{segments}}), 0, 'hls_recover off: the old ones are gone');

# what nobody publishes any more went without anybody who knew it

ok(! glob_count("$disk/tracks/*"), 'all renditions are disposed of');

ok(wait_until(sub { ! -e "$disk/live/x.m3u8" }, 20),
    'restart: a stream that did not come back goes');
is(scalar(segments_of('live')), 0, 'with its segments');

$t->stop_daemon($_) for @again;

ok(wait_until(sub { ! -e "$disk/cdn/x.m3u8" && ! -e "$disk/fresh/x.m3u8" },
    25), 'disposal of all');
is(scalar(segments_of('cdn')) + segments_of('fresh'), 0, 'no file is left');

ok(wait_until(sub { on_disk('keep/x.m3u8')->{ended} }, 10),
    'hls_dispose 0: an end');
ok(-e "$disk/keep/x.m3u8", 'and it stays');

done_testing();

###############################################################################

END {
    my $status = $?;

    system("umount -l $dir/full 2>/dev/null") if $dir && $> == 0;

    $? = $status;
}

sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;

    return <$fh> // '';
}

sub on_disk { return parse(slurp("$disk/$_[0]")) }

sub listed { return scalar @{on_disk($_[0])->{segments}} }

sub segments_of { my @files = glob "$disk/$_[0]/x-*.m4s"; return @files }

sub glob_count { my @files = glob $_[0]; return scalar @files }

# Files of a playlist that are not there; it may change meanwhile.

sub missing {
    my ($file) = @_;
    my $n;

    for my $try (1 .. 3) {
        my ($base) = $file =~ m!^(.*)/!;

        $n = grep { ! -s "$disk/$base/$_->{uri}" }
            @{on_disk($file)->{segments}};
        return 0 unless $n;
    }

    return $n;
}

sub doubles {
    my (%seen, $n);
    $n += $seen{$_->{date}}++ ? 1 : 0 for @{on_disk($_[0])->{segments}};
    return $n || 0;
}

sub backwards {
    my $last = '';

    for my $s (@{on_disk($_[0])->{segments}}) {
        return "$s->{date} after $last" if $s->{date} le $last;
        $last = $s->{date};
    }

    return '';
}

sub lines {
    my ($what) = @_;
    return scalar(() = $t->read_file('error.log') =~ /$what/g);
}

sub fill {
    my ($file, $kb) = @_;
    open my $fh, '>', $file or die "$file: $!\n";
    print $fh 'x' x 1024 for 1 .. $kb;
    close $fh;
}

sub hup { kill 'HUP', $t->master(); return }

sub kill_one {
    my ($worker) = @_;
    $t->{_killed}{$worker} = 1;
    kill 'KILL', $worker;
}

sub publisher_worker {
    my ($name) = @_;
    my ($c) = grep { $_->{publish} && $_->{url} =~ m!/live/\Q$name\E! }
        @{$t->api_get('/api/v1/clients/')->{clients}};
    return $c->{worker};
}

# Reads the playlist again and again, as a player would.

sub follow {
    my ($file, $seconds, $do) = @_;

    my $start = time();
    my @todo = sort { $a <=> $b } keys %$do;
    my %r = (missed => '', discontinuities => 0);
    my $last;

    while (time() - $start < $seconds) {

        if (@todo && time() - $start > $todo[0]) {
            $do->{shift @todo}->();
        }

        my $p = on_disk($file);

        if (!defined $p->{msn} || !@{$p->{segments}}) {
            $r{missed} ||= 'no playlist';

        } else {
            $r{missed} ||= "after $last" if defined $last
                && ($p->{msn} > $last + 1 || $p->{last} < $last);
            $r{discontinuities} = $p->{discontinuities} || 0;
            $last = $p->{last};
        }

        sleep 0.1;
    }

    return \%r;
}
