package Test::Nginx::Schema;

# Copyright (C) the nginx media suite authors

# Values against schemas of an OpenAPI 3.1 document: the keywords of JSON
# Schema that docs/openapi.json uses, and no others; it dies of one that it
# does not know.
#
#     my $schema = Test::Nginx::Schema->new($document);
#     my @faults = $schema->check({ '$ref' => '#/...' }, $value);

use warnings;
use strict;

use JSON::PP;
use Scalar::Util qw/ blessed /;


my %KNOWN = map { $_ => 1 } qw/ $ref type enum properties required items
    additionalProperties oneOf pattern minimum maximum description default /;

my $json = JSON::PP->new()->allow_nonref()->canonical();


sub new {
    my ($class, $document) = @_;
    return bless { document => $document }, $class;
}


# What a reference is of.

sub resolve {
    my ($self, $ref) = @_;

    $ref =~ m!^#/! or die "not a reference: $ref\n";

    my $node = $self->{document};

    for my $name (split m!/!, substr $ref, 2) {
        $name =~ s!~1!/!g;
        $name =~ s!~0!~!g;
        ref $node eq 'HASH' && exists $node->{$name}
            or die "nothing there: $ref\n";
        $node = $node->{$name};
    }

    return $node;
}


# A node of the document, or what it refers to.

sub follow {
    my ($self, $node) = @_;

    $node = $self->resolve($node->{'$ref'})
        while ref $node eq 'HASH' && defined $node->{'$ref'};

    return $node;
}


# Where a value differs from its schema, one string each.

sub check {
    my ($self, $schema, $value, $at) = @_;

    $at //= '$';

    for my $key (keys %$schema) {
        die "$at: unknown keyword $key\n" unless $KNOWN{$key};
    }

    my @faults;

    push @faults, $self->check($self->resolve($schema->{'$ref'}), $value, $at)
        if defined $schema->{'$ref'};

    push @faults, $self->_types($schema, $value, $at);
    return @faults if @faults;

    push @faults, $self->_scalar($schema, $value, $at);
    push @faults, $self->_object($schema, $value, $at)
        if ref $value eq 'HASH';
    push @faults, $self->_array($schema, $value, $at)
        if ref $value eq 'ARRAY';
    push @faults, $self->_one_of($schema, $value, $at) if $schema->{oneOf};

    return @faults;
}


sub _types {
    my ($self, $schema, $value, $at) = @_;

    return () unless defined $schema->{type};

    my @want = ref $schema->{type} ? @{$schema->{type}} : $schema->{type};
    my $is = kind($value);

    return () if grep { $_ eq $is || $_ eq 'number' && $is eq 'integer' }
        @want;

    return "$at: " . shown($value) . " is $is, not " . join(' or ', @want);
}


sub _scalar {
    my ($self, $schema, $value, $at) = @_;

    my @faults;
    my $is = kind($value);

    push @faults, "$at: " . shown($value) . ' is not in the enum'
        if $schema->{enum} && !grep { $json->encode($_)
            eq $json->encode($value) } @{$schema->{enum}};

    push @faults, "$at: " . shown($value) . " is not $schema->{pattern}"
        if defined $schema->{pattern} && $is eq 'string'
            && $value !~ /$schema->{pattern}/;

    push @faults, "$at: $value is out of bounds"
        if $is =~ /^(integer|number)$/
            && (defined $schema->{minimum} && $value < $schema->{minimum}
                || defined $schema->{maximum}
                    && $value > $schema->{maximum});

    return @faults;
}


sub _object {
    my ($self, $schema, $value, $at) = @_;

    my $more = $schema->{additionalProperties};
    my @faults = map { "$at: no $_" }
        grep { !exists $value->{$_} } @{$schema->{required} || []};

    for my $key (sort keys %$value) {
        my $of = ($schema->{properties} || {})->{$key};

        $of = $more if !$of && ref $more eq 'HASH';

        if ($of) {
            push @faults, $self->check($of, $value->{$key}, "$at.$key");

        } elsif (defined $more && !$more) {
            push @faults, "$at: $key is not described";
        }
    }

    return @faults;
}


sub _array {
    my ($self, $schema, $value, $at) = @_;

    return () unless $schema->{items};

    return map { $self->check($schema->{items}, $value->[$_], "$at\[$_]") }
        0 .. $#$value;
}


sub _one_of {
    my ($self, $schema, $value, $at) = @_;

    my @tried = map { [ $self->check($_, $value, $at) ] } @{$schema->{oneOf}};
    my $right = grep { !@$_ } @tried;

    return () if $right == 1;
    return "$at: fits $right of oneOf" if $right;

    # those that come nearest are what helps

    my ($best) = sort { @$a <=> @$b } @tried;

    return @$best;
}


sub kind {
    my ($value) = @_;

    return 'null' unless defined $value;
    return 'boolean' if blessed $value && $value->isa('JSON::PP::Boolean');
    return 'object' if ref $value eq 'HASH';
    return 'array' if ref $value eq 'ARRAY';

    my $text = $json->encode($value);

    return 'string' if $text =~ /^"/;
    return $text =~ /^-?\d+$/ ? 'integer' : 'number';
}


sub shown { return substr $json->encode($_[0]), 0, 60 }


1;
