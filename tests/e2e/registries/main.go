// Registries that others wrote, as programs of this machine, each behind a password.
//
//	registries distribution CONFIG
//	registries go-containerregistry ADDRESS     (with LOGIN, user:password, in the environment)
package main

import (
	"crypto/subtle"
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"

	distribution "github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "distribution" {
		distribution.RootCmd.SetArgs([]string{"serve", os.Args[2]})
		if err := distribution.RootCmd.Execute(); err != nil {
			log.Fatal(err)
		}
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "go-containerregistry" {
		held := registry.New(registry.WithReferrersSupport(true))
		log.Fatal(http.ListenAndServe(os.Args[2], behind(os.Getenv("LOGIN"), held)))
	}
	log.Fatal("which registry, and what does it need?")
}

// That registry knows no logins: it stands behind one, as behind a proxy that asks for it.
func behind(login string, held http.Handler) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		user, password, _ := request.BasicAuth()
		if subtle.ConstantTimeCompare([]byte(user+":"+password), []byte(login)) != 1 {
			answer.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			answer.WriteHeader(http.StatusUnauthorized)
			return
		}
		held.ServeHTTP(answer, request)
	})
}
