package main

import "testing"

func TestParseServiceHost(t *testing.T) {
	for _, host := range []string{"acme.vc-acme:443", "acme.vc-acme.svc:443", "acme.vc-acme.svc.cluster.local:443", "acme.vc-acme.svc.cluster.local.:443"} {
		service, namespace, port, err := parseServiceHost(host)
		if err != nil || service != "acme" || namespace != "vc-acme" || port != 443 {
			t.Errorf("%s: got %q %q %d, %v", host, service, namespace, port, err)
		}
	}
	for _, host := range []string{"acme:443", "acme.vc-acme", "example.co.uk:443", "127.0.0.1:443", "[::1]:443", "acme.vc-acme:0x1", "acme.vc-acme:70000", ".vc-acme:443", "acme.:443"} {
		if _, _, _, err := parseServiceHost(host); err == nil {
			t.Errorf("%s must be refused", host)
		}
	}
}
