#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# rtmpdump plays.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Client;

select STDERR; $| = 1;
select STDOUT; $| = 1;

found('rtmpdump');

my ($t, $rtmp) = server();
my $seconds = seconds();
my $file = $t->testdir() . '/dump.flv';

publish_clip($t, "$rtmp/live/clip");
ok(live('/live/clip.flv'), 'clip is live');

my ($out) = run_for($t, $seconds + 2, 'rtmpdump', '--verbose', '--live',
    '--rtmp', "$rtmp/live/clip", '-o', $file);

$out =~ s/Caught signal.*//s;
unlike($out, qr/^ERROR/m, 'no error');
check_played('rtmpdump', $file, $seconds);

$t->stop_daemons();
$t->stop();

done_testing();
