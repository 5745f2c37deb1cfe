#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Streams that have been on air for long: timestamps go over the end of the 24
# bits of a chunk header and of FLV (4.6 hours), over the sign (24.8 days), and
# over the end of the 32 bits (49.7 days), as the encoder says (time_jitter off)
# and where a stream begins at 0.  Players of both protocols, those that were
# there before and those that come after, get every frame at its time.

use warnings;
use strict;

use List::Util qw/ max min /;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Soak;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($t, @at) = server(media => 'application raw { time_jitter off; }');
my $seconds = max(12, int(soak() / 3));

for my $wrap ([ '24 bits', 16777215 ], [ 'the sign', 2147483647 ],
              [ '32 bits', 4294967295 ])
{
    my ($name, $end) = @$wrap;

    # the end comes in the middle of what is measured

    my $start = $end - int(1000 * $seconds / 2) - 2000;
    my %load;

    for my $app (qw/ raw live /) {
        $load{$app} = load($t, @at, '--app', $app, qw/ --rtmp-players 50
            --http-players 50 --bitrate 500 --churn 20 --strict --settle 1
            --ts-start /, $start, '--duration', $seconds);
    }

    my $before = seen($t, 'raw');

    cmp_ok($before, '>=', $start, "over $name: raw begins before it");
    cmp_ok($before, '<=', $end, "over $name: not after it");
    cmp_ok(seen($t, 'live'), '<', 600000, "over $name: live begins at 0");

    sleep($seconds / 2 + 4);

    my $after = seen($t, 'raw');

    ok($end == 4294967295 ? $after < 600000 : $after > $end,
        "over $name: raw has gone over it");
    note("over $name: an FLV player that came before saw $before ms, one "
        . "that came later $after ms");

    for my $app (qw/ raw live /) {
        my $r = result($t, $load{$app});

        whole("$app over $name", $r);
        cmp_ok($r->{ts_drift_ms} // 1000, '<=', 1,
            "$app over $name: in time");
        cmp_ok($r->{churn_n} || 0, '>', 0, "$app over $name: newcomers too");
        is($r->{status}, 0, "$app over $name: exit status");
    }

    idle($t, "over $name");
}

done_testing();


# The time of the first keyframe that an FLV player gets.

sub seen {
    my ($t, $app) = @_;

    my $ms;

    wait_until(sub {
        my $flv = http_content(http_get("/$app/bench.flv", limit => 30000,
            timeout => 2)) // '';

        for (my $pos = 13; $pos + 12 <= length $flv; ) {
            my ($type, $high, $low, $time, $ext, undef, undef, $first)
                = unpack 'CCnB24CCnC', substr $flv, $pos;

            $ms = oct("0b$time") | $ext << 24;
            return 1 if $type == 9 && $first >> 4 == 1
                && substr($flv, $pos + 12, 1) eq "\1";

            $pos += 15 + ($high << 16 | $low);
        }

        undef $ms;
        return 0;
    }, 20);

    return $ms // -1;
}
