// A traffic router of Argo Rollouts for the Gateway API, for the test cluster alone. It speaks Rollouts' plugin protocol and
// does to an HTTPRoute what argoproj-labs/gatewayAPI does: the two weights, and a label while a canary has traffic. That
// plugin is not served by the Go module proxy; on a cluster of one's own it is the real one.
package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/rollout/trafficrouting/plugin/rpc"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	"github.com/hashicorp/go-plugin"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	name  = "argoproj-labs/gatewayAPI"
	label = "rollouts.argoproj.io/gatewayapi-canary"
)

var routes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

// What a Rollout says of its route, below the name of the plugin.
type place struct {
	Route     string `json:"httpRoute"`
	Namespace string `json:"namespace"`
}

type router struct{ client dynamic.Interface }

// InitPlugin reads KUBECONFIG, as the controller that starts us does.
func (r *router) InitPlugin() types.RpcError {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return failed(err)
	}
	r.client, err = dynamic.NewForConfig(config)
	return failed(err)
}

// SetWeight gives the canary so many of a hundred requests and the stable version the rest, in every rule that has both.
func (r *router) SetWeight(rollout *v1alpha1.Rollout, weight int32, _ []v1alpha1.WeightDestination) types.RpcError {
	var at place
	canary := rollout.Spec.Strategy.Canary
	if err := json.Unmarshal(canary.TrafficRouting.Plugins[name], &at); err != nil {
		return failed(fmt.Errorf("trafficRouting.plugins[%s]: %w", name, err))
	}
	client, ctx := r.client.Resource(routes).Namespace(at.Namespace), context.Background()
	route, err := client.Get(ctx, at.Route, metav1.GetOptions{})
	if err != nil {
		return failed(err)
	}
	weights := map[string]int64{canary.CanaryService: int64(weight), canary.StableService: int64(100 - weight)}
	if err := weigh(route, weights); err != nil {
		return failed(err)
	}
	mark(route, weight > 0)
	_, err = client.Update(ctx, route, metav1.UpdateOptions{})
	return failed(err)
}

func weigh(route *unstructured.Unstructured, weights map[string]int64) error {
	found := map[string]bool{}
	rules, _, err := unstructured.NestedSlice(route.Object, "spec", "rules")
	if err != nil {
		return err
	}
	for _, rule := range rules {
		backends, _ := rule.(map[string]any)["backendRefs"].([]any)
		for _, one := range backends {
			backend := one.(map[string]any)
			service := backend["name"].(string)
			if weight, ours := weights[service]; ours {
				backend["weight"], found[service] = weight, true
			}
		}
	}
	for service := range weights {
		if !found[service] {
			return fmt.Errorf("HTTPRoute %s/%s has no backend %s", route.GetNamespace(), route.GetName(), service)
		}
	}
	return unstructured.SetNestedSlice(route.Object, rules, "spec", "rules")
}

func mark(route *unstructured.Unstructured, running bool) {
	labels := route.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	delete(labels, label)
	if running {
		labels[label] = "in-progress"
	}
	route.SetLabels(labels)
}

// VerifyWeight: the route was updated, which is all that is known here.
func (r *router) VerifyWeight(*v1alpha1.Rollout, int32, []v1alpha1.WeightDestination) (types.RpcVerified, types.RpcError) {
	return types.Verified, types.RpcError{}
}

// The Rollouts of Sluice route by weight alone.

func (r *router) UpdateHash(*v1alpha1.Rollout, string, string, []v1alpha1.WeightDestination) types.RpcError {
	return types.RpcError{}
}

func (r *router) SetHeaderRoute(_ *v1alpha1.Rollout, route *v1alpha1.SetHeaderRoute) types.RpcError {
	if route.Match == nil {
		return types.RpcError{}
	}
	return failed(fmt.Errorf("routing by header is not known to this router"))
}

func (r *router) SetMirrorRoute(_ *v1alpha1.Rollout, route *v1alpha1.SetMirrorRoute) types.RpcError {
	if route.Match == nil {
		return types.RpcError{}
	}
	return failed(fmt.Errorf("mirrored traffic is not known to this router"))
}

func (r *router) RemoveManagedRoutes(*v1alpha1.Rollout) types.RpcError { return types.RpcError{} }

func (r *router) Type() string { return "GatewayAPI" }

func failed(err error) types.RpcError {
	if err == nil {
		return types.RpcError{}
	}
	return types.RpcError{ErrorString: err.Error()}
}

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: 1, MagicCookieKey: "ARGO_ROLLOUTS_RPC_PLUGIN", MagicCookieValue: "trafficrouter",
		},
		Plugins: map[string]plugin.Plugin{"RpcTrafficRouterPlugin": &rpc.RpcTrafficRouterPlugin{Impl: &router{}}},
	})
}
