package discovery

import "fmt"

// An OtherIssuer error is for metadata that speak for another issuer than the one that was asked for. It is found with
// errors.As in what [Discoverer.Metadata] returns.
type OtherIssuer struct {
	Issuer string // that of the document, cut to a sane length
}

func (e OtherIssuer) Error() string { return fmt.Sprintf("the document is of issuer %q", e.Issuer) }
