package Tree;

# Copyright (C) the nginx media suite authors

# What the gates share: the C sources of the tree, their layers, and their
# text without comments and strings.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ sources layer layer_name slurp strip finish /;

use Cwd qw/ abs_path /;
use File::Basename qw/ basename dirname /;

chdir dirname(abs_path(__FILE__)) . '/../..' or die;

my %LAYERS = (base => 0, codec => 1, format => 1, proto => 1, ring => 1,
    core => 2, service => 3);

sub sources {
    my @files = sort(glob('shared/*/*.[ch] shared/optional/*/*.[ch]'
        . ' ngx_*_module/*.[ch]'));
    return grep { -f } @files;
}

sub layer {
    my ($file) = @_;

    return 4 if $file =~ m!^(ngx_\w+_module|shared/optional)/!;

    my ($dir) = $file =~ m!^shared/(\w+)/! or die "$file: no layer\n";

    return $LAYERS{$dir} // die "$file: $dir is no layer\n";
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<:encoding(UTF-8)', $file or die "$file: $!\n";
    local $/;
    return scalar(<$fh>) // '';
}

# Comments and strings become blanks; lines stay where they are.  With keep
# the strings stay.

sub strip {
    my ($text, $keep) = @_;

    $text =~ s{
        (/\*.*?\*/) | ("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    }{
        my ($comment, $string) = ($1, $2);
        my $t = defined $comment ? $comment : $string;
        if (defined $comment) {
            $t =~ s/[^\n]/ /g;
        } elsif (!$keep) {
            $t =~ s/(?<=.)[^\n](?=.)/ /gs;
        }
        $t;
    }gsex;

    return $text;
}

# A gate ends: the faults, one a line, and status 1 where there are any.

sub finish {
    my (@faults) = @_;
    print "$_\n" for @faults;
    exit(@faults ? 1 : 0);
}

1;
