package cloud

import (
	"context"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/ccclient/go-ccclient/ccclient"
)

// Azure is the TokenCredential of an Azure SDK client, and its Transport.
type Azure struct{ Client *ccclient.Client }

// GetToken returns the token of the Client, whatever scopes the SDK asks for.
func (a Azure) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	tok, err := a.Client.Token(ctx)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return azcore.AccessToken{Token: tok.AccessToken, ExpiresOn: tok.Expiry}, nil
}

// Do sends a request with the token of the moment, in place of the one that azcore keeps even if it is rejected.
func (a Azure) Do(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del("Authorization")
	return a.Client.HTTPClient().Do(req)
}
