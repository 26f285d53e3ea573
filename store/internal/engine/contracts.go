package engine

import (
	jsonv2 "github.com/go-json-experiment/json"

	"tolem/topup"
)

// decodeContracts reads contracts that topup.AppendContracts has written.
func decodeContracts(text string) (contracts []topup.Contract, err error) {
	err = jsonv2.Unmarshal([]byte(text), &contracts)
	return contracts, err
}
